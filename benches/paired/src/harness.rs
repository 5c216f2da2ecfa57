//! Paired rounds in one process.
//!
//! A row has several *entrants*, each a body of code that does one operation in its own way. They take turns, a slice of
//! some milliseconds each, in a new random order every round; a ratio is taken between slices of the same round only, so
//! that whatever slows the machine for a while slows both sides of it. The threads of a row live as long as the row, as
//! a server's do: thread-local caches and epochs stay warm.
//!
//! Work that uses up what it works on has slices of a size of its own, and a worker that makes all anew before each.

use crate::beside::beside;
use crate::keys::Rng;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What one thread does for an entrant; owns what it needs for that.
pub trait Worker: Send {
    /// Makes ready for the next slice, off the clock.
    fn prepare(&mut self) {}

    /// Does so many operations.
    fn work(&mut self, ops: u64);
}

impl<F: FnMut(u64) + Send> Worker for F {
    fn work(&mut self, ops: u64) {
        self(ops);
    }
}

/// What goes on beside an entrant's slices, untimed: one turn of it.
pub type Background = Box<dyn FnMut() + Send>;

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
    pub workers: Vec<Box<dyn Worker>>,
    /// Operations of each thread in each slice; as many as fill its time, if it does not matter.
    pub size: Option<u64>,
    /// Asked, when all is measured, what there is to say beside the time.
    pub remark: Option<Box<dyn FnOnce() -> String>>,
    /// Repeated by a thread more during this entrant's slices.
    pub background: Option<Background>,
}

impl Entrant {
    /// An entrant whose worker for thread `t` is `worker(t)`.
    pub fn new<W: FnMut(u64) + Send + 'static>(
        name: &'static str,
        side: Side,
        threads: usize,
        worker: impl FnMut(usize) -> W,
    ) -> Self {
        Entrant { size: None, ..Self::of_size(0, name, side, threads, worker) }
    }

    /// An entrant whose slices are of `size` operations a thread, and whose worker for thread `t` is `worker(t)`.
    pub fn of_size<W: Worker + 'static>(
        size: u64,
        name: &'static str,
        side: Side,
        threads: usize,
        worker: impl FnMut(usize) -> W,
    ) -> Self {
        let workers = (0..threads).map(worker).map(|w| Box::new(w) as Box<dyn Worker>).collect();
        Entrant { name, side, workers, size: Some(size), remark: None, background: None }
    }

    /// The same with something that goes on beside it.
    pub fn beside(self, background: impl FnMut() + Send + 'static) -> Self {
        Entrant { background: Some(Box::new(background)), ..self }
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
    /// What there is to say beside the time.
    pub remark: Option<String>,
}

/// Measures the entrants against each other.
pub fn measure(mut entrants: Vec<Entrant>, plan: Plan) -> Vec<Series> {
    let slice = plan.time.div_f64((plan.rounds * entrants.len()) as f64);
    let mut series: Vec<Series> = entrants
        .iter()
        .map(|e| Series { name: e.name, side: e.side, ops: 0, nanos: Vec::new(), remark: None })
        .collect();
    let sizes: Vec<Option<u64>> = entrants.iter().map(|e| e.size).collect();
    let remarks: Vec<_> = entrants.iter_mut().map(|e| e.remark.take()).collect();
    let mut crew = Crew::hire(entrants);
    for (entrant, series) in series.iter_mut().enumerate() {
        series.ops = match sizes[entrant] {
            Some(ops) => crew.warm_up(entrant, ops),
            None => crew.calibrate(entrant, slice),
        };
    }
    let mut rng = Rng::new(0);
    let mut order: Vec<usize> = (0..series.len()).collect();
    for _ in 0..plan.rounds {
        rng.shuffle(&mut order);
        for &entrant in &order {
            let ops = series[entrant].ops;
            // The lead-in brings back the caches that the slice before it has emptied; making ready does so too.
            let lead_in = if sizes[entrant].is_some() { 0 } else { ops / 8 };
            let took = crew.run(Job { entrant, lead_in, ops });
            series[entrant].nanos.push(took.as_nanos() as f64 / ops as f64);
        }
    }
    crew.dismiss();
    for (series, remark) in series.iter_mut().zip(remarks) {
        series.remark = remark.map(|ask| ask());
    }
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
    /// One for each entrant, on a thread of its own when it is that one's turn.
    backgrounds: Vec<Option<Background>>,
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
        let mut shares: Vec<Vec<Box<dyn Worker>>> = (0..threads).map(|_| Vec::new()).collect();
        let mut backgrounds = Vec::new();
        for entrant in entrants {
            backgrounds.push(entrant.background);
            assert_eq!(entrant.workers.len(), threads, "{} has another number of workers", entrant.name);
            for (share, worker) in shares.iter_mut().zip(entrant.workers) {
                share.push(worker);
            }
        }
        let start = Arc::new(Barrier::new(threads));
        let hands = shares.into_iter().map(|workers| Hand::spawn(workers, Arc::clone(&start))).collect();
        Crew { backgrounds, hands }
    }

    /// One slice, with what goes on beside it.
    fn run(&mut self, job: Job) -> Duration {
        let Crew { backgrounds, hands } = self;
        match &mut backgrounds[job.entrant] {
            Some(background) => beside(background, || Self::time(hands, job)),
            None => Self::time(hands, job),
        }
    }

    /// From the first thread's start to the last one's end.
    fn time(hands: &[Hand], job: Job) -> Duration {
        const PANICKED: &str = "a worker has panicked";
        for hand in hands {
            hand.jobs.send(job).expect(PANICKED);
        }
        let spans = hands.iter().map(|hand| hand.spans.recv().expect(PANICKED));
        let (start, end) =
            spans.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1))).expect("a row has a thread at least");
        end - start
    }

    /// How many operations fill a slice.
    fn calibrate(&mut self, entrant: usize, slice: Duration) -> u64 {
        let mut ops = 1_000;
        loop {
            let took = self.run(Job { entrant, lead_in: 0, ops });
            if took >= slice / 4 {
                return ((ops as f64 * slice.as_secs_f64() / took.as_secs_f64()) as u64).max(1);
            }
            ops *= 4;
        }
    }

    /// One slice of that size that does not count.
    fn warm_up(&mut self, entrant: usize, ops: u64) -> u64 {
        self.run(Job { entrant, lead_in: 0, ops });
        ops
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
    fn spawn(mut workers: Vec<Box<dyn Worker>>, start: Arc<Barrier>) -> Self {
        let (jobs, incoming) = mpsc::channel::<Job>();
        let (outgoing, spans) = mpsc::channel();
        let thread = thread::spawn(move || {
            for job in incoming {
                let worker = &mut workers[job.entrant];
                worker.work(job.lead_in);
                worker.prepare();
                start.wait();
                let started = Instant::now();
                worker.work(job.ops);
                let span = (started, Instant::now());
                if outgoing.send(span).is_err() {
                    break;
                }
            }
        });
        Hand { jobs, spans, thread }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Writes down what is asked of it.
    struct Witness(Arc<Mutex<Vec<String>>>);

    impl Worker for Witness {
        fn prepare(&mut self) {
            self.0.lock().unwrap().push("prepare".to_owned());
        }

        fn work(&mut self, ops: u64) {
            self.0.lock().unwrap().push(format!("work {ops}"));
        }
    }

    #[test]
    fn a_slice_of_a_size_is_prepared_each_time() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut entrant = Entrant::of_size(7, "witness", Side::Peer, 1, |_| Witness(Arc::clone(&seen)));
        entrant.remark = Some(Box::new(|| "done".to_owned()));
        let series = measure(vec![entrant], Plan { rounds: 2, time: Duration::from_millis(1) });
        assert_eq!((series[0].ops, series[0].nanos.len()), (7, 2));
        assert_eq!(series[0].remark.as_deref(), Some("done"));
        assert_eq!(*seen.lock().unwrap(), ["work 0", "prepare", "work 7"].repeat(3));
    }
}
