//! Tiles of the Mandelbrot set as PNG pictures: the expensive thing that the cache is for.
//!
//! Zoom level `z` cuts the picture into `2^z` by `2^z` tiles; tile `0/0/0` shows all of it.

use crate::Error;
use std::fmt;

/// Pixels along one side of a tile.
const SIDE: u32 = 256;
/// Deeper than this, `f64` can no longer tell two neighbouring pixels apart cleanly.
pub const MAX_ZOOM: u8 = 32;

/// Where a tile lies: the key of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileId {
    pub z: u8,
    pub x: u32,
    pub y: u32,
}

/// A rendered tile: the value that the cache holds weakly.
pub struct Tile {
    pub png: Vec<u8>,
}

/// Why an address names no tile.
#[derive(Debug)]
pub enum BadAddress {
    Malformed(String),
    OutsidePicture(String),
}

impl TileId {
    /// Reads the three last parts of `/tile/{z}/{x}/{y}.png`.
    pub fn parse(z: &str, x: &str, file: &str) -> Result<TileId, BadAddress> {
        let number = |name: &str, text: &str| {
            text.parse::<u32>()
                .map_err(|why| BadAddress::Malformed(format!("{name} is not a tile number: {text:?}: {why}")))
        };
        let y = file
            .strip_suffix(".png")
            .ok_or_else(|| BadAddress::Malformed(format!("the address must end in {{y}}.png, not in {file:?}")))?;
        let (z, x, y) = (number("z", z)?, number("x", x)?, number("y", y)?);
        if z > u32::from(MAX_ZOOM) {
            return Err(BadAddress::OutsidePicture(format!("zoom {z} is deeper than {MAX_ZOOM}")));
        }
        let side = 1_u64 << z;
        if u64::from(x) >= side || u64::from(y) >= side {
            let reason = format!("at zoom {z} x and y are below {side}, not {x} and {y}");
            return Err(BadAddress::OutsidePicture(reason));
        }
        Ok(TileId { z: z as u8, x, y })
    }

    /// How many tiles the levels `0..=zoom` have together.
    pub fn count(zoom: u8) -> u64 {
        ((1 << (2 * (u64::from(zoom) + 1))) - 1) / 3
    }

    /// The `n`th tile, counted from the top level down and along the rows.
    pub fn nth(n: u64) -> TileId {
        let mut z = 0;
        while TileId::count(z) <= n {
            z += 1;
        }
        let above = if z == 0 { 0 } else { TileId::count(z - 1) };
        let (place, side) = (n - above, 1 << z);
        TileId { z, x: (place % side) as u32, y: (place / side) as u32 }
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.z, self.x, self.y)
    }
}

/// Renders one tile: some milliseconds to some hundreds of them, all of it on the calling thread.
pub fn render(id: TileId) -> Result<Tile, Error> {
    let side = f64::from(SIDE);
    let pixel = 3.0 / (1_u64 << id.z) as f64 / side;
    let (left, top) = (f64::from(id.x) * side * pixel - 2.25, 1.5 - f64::from(id.y) * side * pixel);
    let limit = 256 + 64 * u32::from(id.z);

    let mut pixels = Vec::with_capacity((SIDE * SIDE * 3) as usize);
    for row in 0..SIDE {
        let im = top - (f64::from(row) + 0.5) * pixel;
        for column in 0..SIDE {
            let re = left + (f64::from(column) + 0.5) * pixel;
            pixels.extend(colour(escape_time(re, im, limit)));
        }
    }

    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, SIDE, SIDE);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(Tile { png })
}

/// How fast the point escapes, as a real number so that the colours have no bands; `None` if it stays.
fn escape_time(re: f64, im: f64, limit: u32) -> Option<f64> {
    // The two largest parts of the set, known by formula: without this the dullest tiles cost most.
    let q = (re - 0.25).powi(2) + im * im;
    if q * (q + re - 0.25) <= 0.25 * im * im || (re + 1.0).powi(2) + im * im <= 0.0625 {
        return None;
    }
    let (mut x, mut y) = (0.0_f64, 0.0_f64);
    for n in 0..limit {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 256.0 {
            return Some(f64::from(n) + 1.0 - (0.5 * (xx + yy).ln()).log2());
        }
        (x, y) = (xx - yy + re, 2.0 * x * y + im);
    }
    None
}

/// The set itself is dark; outside, the colours go from one stop to the next and round as the time grows.
fn colour(escape_time: Option<f64>) -> [u8; 3] {
    const SET: [u8; 3] = [9, 11, 18];
    const STOPS: [[f64; 3]; 6] = [
        [12.0, 16.0, 48.0],
        [24.0, 72.0, 160.0],
        [72.0, 180.0, 220.0],
        [246.0, 244.0, 224.0],
        [250.0, 170.0, 50.0],
        [120.0, 30.0, 60.0],
    ];
    let Some(time) = escape_time else { return SET };
    let at = 0.9 * time.max(0.0).sqrt();
    let (from, to) = (STOPS[at as usize % STOPS.len()], STOPS[(at as usize + 1) % STOPS.len()]);
    [0, 1, 2].map(|c| (from[c] + (to[c] - from[c]) * at.fract()).round() as u8)
}
