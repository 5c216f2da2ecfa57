//! Paired rounds in one process.
//!
//! A row has several *entrants*, each a body of code that does one operation in its own way. They take turns, a slice of
//! some milliseconds each, in a new random order every round; a ratio is taken between slices of the same round only, so
//! that whatever slows the machine for a while slows both sides of it. The threads of a row live as long as the row, as
//! a server's do: thread-local caches and epochs stay warm.

use crate::keys::Rng;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Does the given number of operations; owns what one thread needs for them.
pub type Worker = Box<dyn FnMut(u64) + Send>;

/// Which side of a ratio an entrant is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A face of `weakly`.
    Ours,
    /// What people use in its place.
    Peer,
    /// A lower bound that does less than the row asks for; in no ratio.
    Floor,
}

/// One way of doing the row's operation, with a worker for each thread.
pub struct Entrant {
    /// How tables and goals call it; unique in its row.
    pub name: &'static str,
    /// Which side of a ratio it is on.
    pub side: Side,
    /// One for each thread of the row.
    pub workers: Vec<Worker>,
}

impl Entrant {
    /// An entrant whose worker for thread `t` is `worker(t)`.
    pub fn new<W: FnMut(u64) + Send + 'static>(
        name: &'static str,
        side: Side,
        threads: usize,
        worker: impl FnMut(usize) -> W,
    ) -> Self {
        let workers = (0..threads).map(worker).map(|w| Box::new(w) as Worker).collect();
        Entrant { name, side, workers }
    }
}

/// How long to measure a row.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Rounds, each with one slice of every entrant.
    pub rounds: usize,
    /// Time for the slices of all rounds together.
    pub time: Duration,
}

/// What one entrant took.
#[derive(Clone, Debug)]
pub struct Series {
    /// The entrant's name.
    pub name: &'static str,
    /// The entrant's side.
    pub side: Side,
    /// Operations of each thread in each slice.
    pub ops: u64,
    /// For each round, nanoseconds of one operation as its thread sees it.
    pub nanos: Vec<f64>,
}

/// Measures the entrants against each other.
pub fn measure(entrants: Vec<Entrant>, plan: Plan) -> Vec<Series> {
    let slice = plan.time.div_f64((plan.rounds * entrants.len()) as f64);
    let mut series: Vec<Series> =
        entrants.iter().map(|e| Series { name: e.name, side: e.side, ops: 0, nanos: Vec::new() }).collect();
    let crew = Crew::hire(entrants);
    for (entrant, series) in series.iter_mut().enumerate() {
        series.ops = crew.calibrate(entrant, slice);
    }
    let mut rng = Rng::new(0);
    let mut order: Vec<usize> = (0..series.len()).collect();
    for _ in 0..plan.rounds {
        rng.shuffle(&mut order);
        for &entrant in &order {
            let ops = series[entrant].ops;
            // The lead-in brings back the caches that the slice before it has emptied.
            let took = crew.run(Job { entrant, lead_in: ops / 8, ops });
            series[entrant].nanos.push(took.as_nanos() as f64 / ops as f64);
        }
    }
    crew.dismiss();
    series
}

/// One slice, as the threads hear of it.
#[derive(Clone, Copy)]
struct Job {
    entrant: usize,
    lead_in: u64,
    ops: u64,
}

/// The threads of a row. Each has a worker of every entrant.
struct Crew {
    hands: Vec<Hand>,
}

/// One thread, and the channels to it and from it.
struct Hand {
    jobs: Sender<Job>,
    spans: Receiver<(Instant, Instant)>,
    thread: JoinHandle<()>,
}

impl Crew {
    fn hire(entrants: Vec<Entrant>) -> Self {
        let threads = entrants[0].workers.len();
        let mut shares: Vec<Vec<Worker>> = (0..threads).map(|_| Vec::new()).collect();
        for entrant in entrants {
            assert_eq!(entrant.workers.len(), threads, "{} has another number of workers", entrant.name);
            for (share, worker) in shares.iter_mut().zip(entrant.workers) {
                share.push(worker);
            }
        }
        let start = Arc::new(Barrier::new(threads));
        let hands = shares.into_iter().map(|workers| Hand::spawn(workers, Arc::clone(&start))).collect();
        Crew { hands }
    }

    /// From the first thread's start to the last one's end.
    fn run(&self, job: Job) -> Duration {
        const PANICKED: &str = "a worker has panicked";
        for hand in &self.hands {
            hand.jobs.send(job).expect(PANICKED);
        }
        let spans = self.hands.iter().map(|hand| hand.spans.recv().expect(PANICKED));
        let (start, end) =
            spans.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1))).expect("a row has a thread at least");
        end - start
    }

    /// How many operations fill a slice.
    fn calibrate(&self, entrant: usize, slice: Duration) -> u64 {
        let mut ops = 1_000;
        loop {
            let took = self.run(Job { entrant, lead_in: 0, ops });
            if took >= slice / 4 {
                return ((ops as f64 * slice.as_secs_f64() / took.as_secs_f64()) as u64).max(1);
            }
            ops *= 4;
        }
    }

    /// Lets the threads drop their workers. Not a `Drop`: after a panic the others may wait at the barrier for ever.
    fn dismiss(self) {
        for hand in self.hands {
            drop(hand.jobs);
            hand.thread.join().expect("a worker panicked when it was dropped");
        }
    }
}

impl Hand {
    fn spawn(mut workers: Vec<Worker>, start: Arc<Barrier>) -> Self {
        let (jobs, incoming) = mpsc::channel::<Job>();
        let (outgoing, spans) = mpsc::channel();
        let thread = thread::spawn(move || {
            for job in incoming {
                let worker = &mut workers[job.entrant];
                worker(job.lead_in);
                start.wait();
                let started = Instant::now();
                worker(job.ops);
                let span = (started, Instant::now());
                if outgoing.send(span).is_err() {
                    break;
                }
            }
        });
        Hand { jobs, spans, thread }
    }
}
