//! The HTTP side: tiles, figures, and a page that shows both live.

use crate::Error;
use crate::access_log::AccessLog;
use crate::accounting::{Figures, Outcome};
use crate::cache::TileCache;
use crate::tile::{BadAddress, MAX_ZOOM, Tile, TileId};
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use std::fmt::Write as _;
use std::time::Instant;
use weakly::Arc;

/// Says how the cache answered: `hit`, `load` or `coalesced`.
pub const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub struct App {
    pub cache: TileCache,
    pub keep: usize,
    pub log: Arc<AccessLog>,
}

type Shared = State<std::sync::Arc<App>>;

pub fn router(app: std::sync::Arc<App>) -> Router {
    Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/tile/{z}/{x}/{file}", get(tile).delete(forget))
        .route("/stats", get(stats))
        .route("/metrics", get(metrics))
        .fallback(|| async { (StatusCode::NOT_FOUND, "there are /, /tile/{z}/{x}/{y}.png, /stats and /metrics\n") })
        .layer(middleware::from_fn_with_state(app.clone(), log))
        .with_state(app)
}

async fn tile(State(app): Shared, Path(address): Path<(String, String, String)>) -> Result<Response, Refusal> {
    let id = parse(&address)?;
    let (tile, outcome) = match app.cache.get(id) {
        Some(tile) => (tile, Outcome::Hit),
        // Rendering and waiting for another's loader both block, so they go to threads that may.
        // A waiter never takes the thread its loader needs: the loader is already running.
        None => tokio::task::spawn_blocking(move || app.cache.load(id)).await??,
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/png")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CACHE, HeaderValue::from_static(outcome.name())),
    ];
    Ok((headers, Body::from(Bytes::from_owner(InFlight(tile)))).into_response())
}

/// The bytes of a response. They are the tile's own: it lives until the last of them is sent.
struct InFlight(Arc<Tile>);

impl AsRef<[u8]> for InFlight {
    fn as_ref(&self) -> &[u8] {
        &self.0.png
    }
}

async fn forget(State(app): Shared, Path(address): Path<(String, String, String)>) -> Result<Response, Refusal> {
    let id = parse(&address)?;
    let was_alive = tokio::task::spawn_blocking(move || app.cache.forget(id)).await??;
    Ok(Json(json!({ "was_alive": was_alive })).into_response())
}

async fn stats(State(app): Shared) -> Response {
    let figures = app.cache.figures();
    let alive: Vec<_> = app.cache.alive().into_iter().map(|id| json!([id.z, id.x, id.y])).collect();
    let mut body = json!({
        "max_zoom": MAX_ZOOM,
        "keep": app.keep,
        "requests": figures.requests(),
        "failed": figures.failed,
        "hit_rate": figures.hit_rate(),
        "inserted": figures.inserted(),
        "rendered": figures.rendered,
        "reread": figures.reread,
        "overlaps": figures.overlaps,
        "loading": figures.loading,
        "live": figures.live,
        "pending": figures.pending,
        "alive": alive,
    });
    for outcome in Outcome::ALL {
        body[outcome.name()] = figures.served(outcome).into();
    }
    for (cause, count) in figures.notices() {
        body[cause] = count.into();
    }
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

async fn metrics(State(app): Shared) -> Response {
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], prometheus(&app.cache.figures())).into_response()
}

fn prometheus(figures: &Figures) -> String {
    let served = Outcome::ALL.map(|outcome| (outcome.name(), figures.served(outcome)));
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, label: &str, help: &str, samples: &[(&str, u64)]| {
        // Writing to a String can't fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (value, count) in samples {
            let _ = match label {
                "" => writeln!(text, "{name} {count}"),
                _ => writeln!(text, "{name}{{{label}=\"{value}\"}} {count}"),
            };
        }
    };
    family("tile_requests_total", "counter", "cache", "Tiles handed out, by how the cache answered.", &served);
    family("tile_failures_total", "counter", "", "Requests whose loader failed.", &[("", figures.failed)]);
    let sources = [("rendered", figures.rendered), ("spill", figures.reread)];
    family("tile_loads_total", "counter", "source", "Loaders run to the end, by source.", &sources);
    let overlaps = [("", figures.overlaps)];
    family("tile_load_overlaps_total", "counter", "", "Loaders that met another of their tile.", &overlaps);
    let notices: Vec<_> = figures.notices().collect();
    family("tile_removals_total", "counter", "cause", "Entries that left the map, by cause.", &notices);
    family("tiles_live", "gauge", "", "Live entries in the map.", &[("", figures.live)]);
    family("tiles_loading", "gauge", "", "Loaders at work.", &[("", figures.loading)]);
    family("tile_removals_pending", "gauge", "", "Dead entries not yet out of the map.", &[("", figures.pending)]);
    text
}

/// Logs every response, refusals too.
async fn log(State(app): Shared, request: Request, next: Next) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    let start = Instant::now();
    let response = next.run(request).await;
    let cache = response.headers().get(X_CACHE).and_then(|value| value.to_str().ok()).unwrap_or("-");
    match app.log.line(&asked, response.status().as_u16(), cache, start.elapsed()) {
        Ok(()) => response,
        Err(e) => Refusal::from(Error::from(e)).into_response(),
    }
}

fn parse((z, x, file): &(String, String, String)) -> Result<TileId, Refusal> {
    TileId::parse(z, x, file).map_err(|bad| match bad {
        BadAddress::Malformed(why) => Refusal(StatusCode::BAD_REQUEST, why),
        BadAddress::OutsidePicture(why) => Refusal(StatusCode::NOT_FOUND, why),
    })
}

/// An answer that is not what was asked for, and why.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(e: E) -> Refusal {
        Refusal(StatusCode::INTERNAL_SERVER_ERROR, e.into().to_string())
    }
}
