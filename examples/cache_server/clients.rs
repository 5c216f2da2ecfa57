//! The built-in clients: they ask the server for tiles over HTTP and check every answer.

use crate::Error;
use crate::options::Load;
use crate::server::X_CACHE;
use crate::tile::TileId;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use indicatif::{ProgressBar, ProgressStyle};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A request that takes longer is an error, so that a hang can't look like patience.
const PATIENCE: Duration = Duration::from_secs(30);
const BIGGEST_ANSWER: usize = 1 << 20;
/// One request in so many asks to forget a tile instead.
const FORGET_ONE_IN: u32 = 256;

/// What the clients saw.
pub struct Seen {
    pub took: Duration,
    /// Of the requests for a tile, shortest first.
    pub latencies: Vec<Duration>,
    pub forgets: u64,
    pub refused: u64,
}

pub async fn drive(server: SocketAddr, load: &Load) -> Result<Seen, Error> {
    let bar = ProgressBar::new(load.requests);
    bar.set_style(ProgressStyle::with_template("{bar:40.cyan/dim} {pos}/{len} requests, {eta} left")?);
    let asker = Asker::new(server);
    let refused = asker.ask_nonsense().await?;

    let start = Instant::now();
    let mut clients = JoinSet::new();
    for i in 0..load.clients {
        let (asker, load, bar) = (asker.clone(), load.clone(), bar.clone());
        clients.spawn(async move { client(&asker, &load, i, &bar).await });
    }
    let mut seen = Seen { took: Duration::ZERO, latencies: Vec::new(), forgets: 0, refused };
    // The first error ends the run: leaving drops the set, and that stops the other clients.
    while let Some(client) = clients.join_next().await {
        let (latencies, forgets) = client??;
        seen.latencies.extend(latencies);
        seen.forgets += forgets;
    }
    seen.took = start.elapsed();
    bar.finish_and_clear();
    seen.latencies.sort_unstable();
    Ok(seen)
}

/// One client's share of the requests, one after the other.
async fn client(asker: &Asker, load: &Load, i: u64, bar: &ProgressBar) -> Result<(Vec<Duration>, u64), Error> {
    let share = load.requests / load.clients + u64::from(i < load.requests % load.clients);
    let mut rng = SmallRng::seed_from_u64(load.seed.wrapping_add(i));
    let popularity = Zipf::new(TileId::count(load.zoom) as f64, load.skew)?;
    let (mut latencies, mut forgets) = (Vec::with_capacity(share as usize), 0);
    for n in 0..share {
        // Everybody opens the whole picture first, all at once: one load must serve them all.
        let rank = if n == 0 { 1 } else { popularity.sample(&mut rng) as u64 };
        let id = TileId::nth(rank - 1);
        if n > 0 && rng.random_ratio(1, FORGET_ONE_IN) {
            asker.forget(id).await?;
            forgets += 1;
        } else {
            latencies.push(asker.tile(id).await?);
        }
        bar.inc(1);
    }
    Ok((latencies, forgets))
}

/// Asks the server, over connections that all clients share.
#[derive(Clone)]
struct Asker {
    server: SocketAddr,
    http: Client<HttpConnector, Body>,
    /// A tile must look the same each time, dead and reloaded or not.
    pictures: Arc<Pictures>,
}

impl Asker {
    fn new(server: SocketAddr) -> Asker {
        let http = Client::builder(TokioExecutor::new()).build_http();
        Asker { server, http, pictures: Arc::default() }
    }

    /// Fetches a tile and tells how long it took until all of it was there.
    async fn tile(&self, id: TileId) -> Result<Duration, Error> {
        let start = Instant::now();
        let (status, x_cache, png) = self.ask(Method::GET, &format!("/tile/{id}.png")).await?;
        let took = start.elapsed();
        if status != StatusCode::OK || !x_cache || !png.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Err(format!("tile {id}: {status}: {}", String::from_utf8_lossy(&png)).into());
        }
        self.pictures.compare(id, &png)?;
        Ok(took)
    }

    async fn forget(&self, id: TileId) -> Result<(), Error> {
        match self.ask(Method::DELETE, &format!("/tile/{id}.png")).await? {
            (StatusCode::OK, ..) => Ok(()),
            (status, _, why) => Err(format!("forget {id}: {status}: {}", String::from_utf8_lossy(&why)).into()),
        }
    }

    /// Addresses of nothing must be refused with a reason.
    async fn ask_nonsense(&self) -> Result<u64, Error> {
        const NONSENSE: [(&str, StatusCode); 6] = [
            ("/tile/0/0/0.jpg", StatusCode::BAD_REQUEST),
            ("/tile/0/x/0.png", StatusCode::BAD_REQUEST),
            ("/tile/1/0/-1.png", StatusCode::BAD_REQUEST),
            ("/tile/1/2/0.png", StatusCode::NOT_FOUND),
            ("/tile/99/0/0.png", StatusCode::NOT_FOUND),
            ("/nothing", StatusCode::NOT_FOUND),
        ];
        for (path, expected) in NONSENSE {
            let (status, _, why) = self.ask(Method::GET, path).await?;
            if status != expected || why.is_empty() {
                return Err(format!("{path} was answered with {status}, not {expected} and a reason").into());
            }
        }
        Ok(NONSENSE.len() as u64)
    }

    async fn ask(&self, method: Method, path: &str) -> Result<(StatusCode, bool, Bytes), Error> {
        let uri = format!("http://{}{path}", self.server);
        let request = Request::builder().method(method).uri(uri).body(Body::empty())?;
        let answer = async {
            let response = self.http.request(request).await?;
            let (head, body) = response.into_parts();
            let body = to_bytes(Body::new(body), BIGGEST_ANSWER).await?;
            Ok::<_, Error>((head.status, head.headers.contains_key(X_CACHE), body))
        };
        timeout(PATIENCE, answer).await.map_err(|_| format!("{path}: no answer in {PATIENCE:?}"))?
    }
}

/// A hash of each tile's first picture.
#[derive(Default)]
struct Pictures {
    hasher: RandomState,
    first: Mutex<HashMap<TileId, u64>>,
}

impl Pictures {
    fn compare(&self, id: TileId, png: &[u8]) -> Result<(), Error> {
        let hash = self.hasher.hash_one(png);
        let first = *self.first.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_insert(hash);
        if first != hash {
            return Err(format!("tile {id} came with another picture than before").into());
        }
        Ok(())
    }
}
