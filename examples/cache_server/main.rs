//! A tile server whose cache holds its tiles weakly.
//!
//! Rendering a tile of the Mandelbrot set is dear, so it should happen once however many ask for it,
//! and the tile should stay exactly as long as somebody uses it: the responses that carry it, and a
//! ring of the recent ones. A [`weakly::WeakValueMap`] finds it meanwhile. The directory of spilled
//! tiles and the access log are cleaned up by finalizers when the process exits.
//!
//! ```text
//! cargo run --release --example cache_server                           # load itself, report, check, end
//! cargo run --release --example cache_server -- --serve 127.0.0.1:8080 # then open that in a browser
//! ```
//!
//! The files in the order of a request: `clients` -> `server` -> `cache` -> `tile`, `spill`; `accounting`
//! is what must add up in the end.

mod access_log;
mod accounting;
mod cache;
mod clients;
mod options;
mod report;
mod server;
mod spill;
mod tile;

use access_log::AccessLog;
use cache::TileCache;
use clients::Seen;
use options::{Command, Mode, Options};
use report::say;
use server::App;
use spill::Spill;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use weakly::exit;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a response may go on after the server was told to stop.
const GRACE: Duration = Duration::from_secs(5);
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    // However main is left, by a panic too, the finalizers have run.
    let _exit = exit::guard();
    let command = match options::parse() {
        Ok(command) => command,
        Err(reason) => {
            eprintln!("error: {reason}\n\n{}", options::USAGE);
            return ExitCode::from(USAGE_ERROR);
        }
    };
    let outcome = match command {
        Command::Help => say(options::USAGE).map_err(Error::from),
        Command::Run(options) => run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {}", with_causes(&*e));
            ExitCode::FAILURE
        }
    }
}

fn with_causes(e: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(e.source(), |&cause| cause.source());
    causes.fold(e.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn run(options: &Options) -> Result<(), Error> {
    let spill = Spill::create()?;
    let log_path = options.access_log.clone().unwrap_or_else(|| spill.directory().join("access.log"));
    let log = AccessLog::create(&log_path).map_err(|e| format!("can't write {}: {e}", log_path.display()))?;
    let cache = TileCache::new(options.keep, spill.clone());
    let app = std::sync::Arc::new(App { cache, keep: options.keep, log: log.clone() });

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(app.clone(), &options.mode));
    // Waits for loaders that still run, so that from here on nothing is under way.
    drop(runtime);
    let seen = served?;
    if let (Some(seen), Mode::Drive(load)) = (seen, &options.mode) {
        report::clients(&seen, load, &app.cache.figures())?;
    }
    report::cache(&app.cache)?;

    // The spill directory and the log are still in use here, by `spill` and `log`: their finalizers
    // run because the process ends, the newest first. The guard in main would see to it as well, but
    // says nothing of what went wrong.
    let exit = exit::run_finalizers();
    if exit.panicked + exit.timed_out + exit::pending() > 0 {
        return Err(format!("not all finalizers ran to their end: {exit:?}").into());
    }
    Ok(())
}

/// Serves until the clients are done or somebody presses Ctrl-C.
async fn serve(app: std::sync::Arc<App>, mode: &Mode) -> Result<Option<Seen>, Error> {
    let address = match mode {
        Mode::Serve(address) => address,
        Mode::Drive(_) => "127.0.0.1:0",
    };
    let listener = TcpListener::bind(address).await.map_err(|e| format!("can't serve on {address}: {e}"))?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, server::router(app)).with_graceful_shutdown(async {
        // An error says that `stop` is gone: that is a reason to stop too.
        let _ = stopped.await;
    });
    let mut server = tokio::spawn(server.into_future());

    let outcome = match mode {
        Mode::Serve(_) => {
            say(format_args!("serving http://{address}/ until Ctrl-C"))?;
            interrupted().await.map(|()| None)
        }
        Mode::Drive(load) => {
            say(format_args!("serving http://{address}/ to {} clients (--seed {})", load.clients, load.seed))?;
            tokio::select! {
                seen = clients::drive(address, load) => seen.map(Some),
                _ = interrupted() => Err("interrupted".into()),
            }
        }
    };
    drop(stop);
    match tokio::time::timeout(GRACE, &mut server).await {
        Ok(ended) => ended??,
        Err(_) => server.abort(),
    }
    outcome
}

/// Returns when the process is asked to end.
async fn interrupted() -> Result<(), Error> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed?,
            _ = terminate.recv() => (),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}
