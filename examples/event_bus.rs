//! An event bus that holds its subscribers weakly: to unsubscribe, drop the subscription, or just the subscriber.
//!
//! ```text
//! cargo run --example event_bus
//! ```

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex, MutexGuard, PoisonError};
use weakly::{Arc, WeakList, WeakMethod, unsize};

type Listener = dyn Fn(&str) + Send + Sync;
type Method = WeakMethod<Panel, fn(&Panel, &str)>;

/// Tells closures, each as long as its subscription is kept, and methods, each as long as its object is alive.
#[derive(Default)]
struct Bus {
    listeners: WeakList<Listener>,
    methods: Mutex<Vec<Method>>,
}

impl Bus {
    /// Subscribes a closure until what is returned is dropped.
    #[must_use]
    fn listen(&self, listener: impl Fn(&str) + Send + Sync + 'static) -> Arc<Listener> {
        let listener = unsize!(Arc::new(listener) => Listener);
        self.listeners.push(&listener);
        listener
    }

    /// Subscribes a method of an object until that dies.
    fn connect(&self, object: &Arc<Panel>, method: fn(&Panel, &str)) -> Method {
        let method = WeakMethod::new(object, method);
        self.methods().push(method.clone());
        method
    }

    fn disconnect(&self, method: &Method) {
        self.methods().retain(|there| there != method);
    }

    /// Tells everybody. No lock is held meanwhile, so they may subscribe and publish, too.
    fn publish(&self, event: &str) {
        for listener in &self.listeners {
            listener(event);
        }
        let methods = self.methods().clone(); // a clone is the same method
        if methods.iter().filter(|method| method.call((event,)).is_err()).count() > 0 {
            self.methods().retain(WeakMethod::is_alive);
        }
    }

    fn methods(&self) -> MutexGuard<'_, Vec<Method>> {
        self.methods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A subscriber that knows nothing of the bus.
#[derive(Default)]
struct Panel {
    lines: Mutex<Vec<String>>,
}

impl Panel {
    fn show(&self, event: &str) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(event.to_uppercase());
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn main() {
    let bus = Bus::default();

    // A closure, until its subscription goes.
    let heard = StdArc::new(AtomicUsize::new(0));
    let count = heard.clone();
    let subscription = bus.listen(move |_| {
        count.fetch_add(1, SeqCst);
    });
    bus.publish("started");
    drop(subscription);
    bus.publish("nobody hears it");
    assert_eq!((heard.load(SeqCst), StdArc::strong_count(&heard)), (1, 1)); // the closure and what it had captured are gone
    println!("the closure heard {} of 2 events", heard.load(SeqCst));

    // A method, until it is disconnected, or its object dies.
    let (left, right) = (Arc::new(Panel::default()), Arc::new(Panel::default()));
    bus.connect(&left, Panel::show);
    let method = bus.connect(&right, Panel::show);
    bus.publish("one");
    bus.disconnect(&method);
    bus.publish("two");
    assert_eq!((left.lines(), right.lines()), (vec!["ONE".into(), "TWO".into()], vec!["ONE".to_string()]));
    println!("panels: left {:?}, right {:?}", left.lines(), right.lines());

    assert_eq!(Arc::strong_count(&left), 1, "the bus owns nobody");
    drop((left, right));
    bus.publish("three");
    assert!(bus.listeners.is_empty() && bus.methods().is_empty());
    println!("subscribers left: {}", bus.listeners.len() + bus.methods().len());
}
