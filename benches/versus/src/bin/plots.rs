//! `cargo run --release --bin plots -- raw.csv folder` draws what `--raw raw.csv` wrote: a chart for each section, a group
//! of bars for each row, medians with whiskers from quartile to quartile. The same file makes the same charts.

use clap::Parser;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use weakly_versus::raw::{self, Times};
use weakly_versus::stats::Spread;

/// Draws the data of a run as SVG.
#[derive(Parser)]
struct Args {
    /// What `--raw` wrote, as CSV
    data: PathBuf,
    /// Where the charts go, one `<section>.svg` each
    folder: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let times = raw::read(&fs::read_to_string(&args.data)?)?;
    fs::create_dir_all(&args.folder)?;
    for section in times.chunk_by(|one, next| section_of(one) == section_of(next)) {
        let name = section_of(&section[0]);
        let file = args.folder.join(format!("{name}.svg"));
        fs::write(&file, chart(name, section))?;
        println!("{}", file.display());
    }
    Ok(())
}

/// A row belongs to the section that its name begins with.
fn section_of(times: &Times) -> &str {
    times.row.split('/').next().unwrap_or(&times.row)
}

const LINE: usize = 18;
/// Where the bars begin, and how far the longest whisker of a row reaches.
const LEFT: usize = 220;
const BARS: f64 = 420.0;
const WIDTH: usize = 780;

/// Every row has a scale of its own, as rows differ by more than a chart can show; the figures stand beside the bars.
fn chart(name: &str, section: &[Times]) -> String {
    let rows: Vec<&[Times]> = section.chunk_by(|one, next| one.row == next.row).collect();
    let height = LINE * (2 + section.len() + 2 * rows.len());
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut out, 10, LINE, &format!("{name}: nanoseconds an operation, less is better"));
    let mut y = 2 * LINE;
    for row in rows {
        y += LINE;
        text(&mut out, 10, y, &row[0].row);
        let spreads: Vec<Spread> = row.iter().map(|times| Spread::of(times.nanos.clone())).collect();
        let longest = spreads.iter().map(|spread| spread.high).fold(0.0, f64::max);
        for (times, spread) in row.iter().zip(&spreads) {
            y += LINE;
            bar(&mut out, y, times, spread, BARS / longest);
        }
        y += LINE;
    }
    out + "</svg>\n"
}

/// A line with name, bar, whisker and figure; `y` is the text's base.
fn bar(out: &mut String, y: usize, times: &Times, spread: &Spread, scale: f64) {
    let color = match times.side.as_str() {
        "Ours" => "#2b6cb0",
        "Peer" => "#a0aec0",
        _ => "#e2e8f0",
    };
    let x = |nanos: f64| LEFT as f64 + nanos * scale;
    let (top, middle) = (y - 11, y - 5);
    text(out, 20, y, &times.entrant);
    writeln!(
        out,
        "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{:.1}\" height=\"13\" fill=\"{color}\"/>\n\
         <path d=\"M{low:.1} {middle}H{high:.1}M{low:.1} {top}v13M{high:.1} {top}v13\" stroke=\"black\"/>",
        spread.median * scale,
        low = x(spread.low),
        high = x(spread.high),
    )
    .expect(INFALLIBLE);
    text(out, x(spread.high) as usize + 8, y, &format!("{:.1}", spread.median));
}

fn text(out: &mut String, x: usize, y: usize, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(out, "<text x=\"{x}\" y=\"{y}\">{words}</text>").expect(INFALLIBLE);
}

const INFALLIBLE: &str = "writing to a string does not fail";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_bar_for_each_entrant() {
        let times = |row: &str, entrant: &str| Times {
            row: row.to_owned(),
            entrant: entrant.to_owned(),
            side: "Ours".to_owned(),
            nanos: vec![1.0, 2.0, 3.0],
        };
        let svg = chart("a", &[times("a/1", "x"), times("a/1", "Mutex<y>"), times("a/2", "x")]);
        // One is the background.
        assert_eq!(svg.matches("<rect").count(), 4);
        assert_eq!(svg.matches("<path").count(), 3);
        assert!(svg.contains("Mutex&lt;y>"));
    }
}
