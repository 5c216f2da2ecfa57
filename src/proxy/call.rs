//! Calling with a tuple of arguments, which stable Rust has no name for.

/// What can be called with the tuple `Args`: every `Fn` of up to eight arguments.
///
/// # Examples
///
/// ```
/// use weakly::Call;
///
/// assert_eq!((|a: u32, b: u32| a + b).call((2, 3)), 5);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be called with `{Args}`",
    note = "arguments go as a tuple: `call((a, b))`"
)]
pub trait Call<Args> {
    /// What it returns.
    type Output;

    /// Calls it.
    fn call(&self, args: Args) -> Self::Output;
}

/// What can be called with a `&T` and then the tuple `Args`: every `Fn` of up to eight arguments beside the `&T`.
///
/// # Examples
///
/// ```
/// use weakly::CallMethod;
///
/// assert!(str::starts_with::<&str>.call_method("abc", ("ab",)));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be called with `&{T}` and `{Args}`",
    note = "arguments go as a tuple: `call((a, b))`"
)]
pub trait CallMethod<T: ?Sized, Args> {
    /// What it returns.
    type Output;

    /// Calls it.
    fn call_method(&self, this: &T, args: Args) -> Self::Output;
}

macro_rules! calls {
    ($($arg:ident $Arg:ident),*) => {
        impl<F: ?Sized, R, $($Arg),*> Call<($($Arg,)*)> for F
        where
            F: Fn($($Arg),*) -> R,
        {
            type Output = R;
            fn call(&self, ($($arg,)*): ($($Arg,)*)) -> R {
                self($($arg),*)
            }
        }

        impl<F: ?Sized, T: ?Sized, R, $($Arg),*> CallMethod<T, ($($Arg,)*)> for F
        where
            F: Fn(&T, $($Arg),*) -> R,
        {
            type Output = R;
            fn call_method(&self, this: &T, ($($arg,)*): ($($Arg,)*)) -> R {
                self(this, $($arg),*)
            }
        }
    };
}

calls!();
calls!(a A);
calls!(a A, b B);
calls!(a A, b B, c C);
calls!(a A, b B, c C, d D);
calls!(a A, b B, c C, d D, e E);
calls!(a A, b B, c C, d D, e E, g G);
calls!(a A, b B, c C, d D, e E, g G, h H);
calls!(a A, b B, c C, d D, e E, g G, h H, i I);
