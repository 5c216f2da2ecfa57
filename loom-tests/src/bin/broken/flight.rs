//! Loads in flight: `src/flight.rs` and its user.

use super::{Break, caught};

const FLIGHT: &str = "src/flight.rs";
const LOAD: &str = "src/generic/load.rs";
const MODEL: &str = "src/sync/model.rs";
const NODE: &str = "src/table/node.rs";

#[rustfmt::skip]
pub const BREAKS: &[Break] = &[
    caught("a flight is listed beside one that was not compared", &["flight::two_loaders", "flight::three_loaders", "flight::two_loaders_drop"], &[(FLIGHT, "listed.iter().any(|known| Arc::ptr_eq(known, there));", "listed.iter().any(|known| Arc::ptr_eq(known, there)) || true;")]),
    caught("a leader doesn't look at the map again", &["flight::two_loaders"], &[(LOAD, "        if let Some(there) = this.base.look(this.hash, this.node(), &mut debts, &same) {\n            return Ok(after((this, debts), there));\n        }\n", "")]),
    caught("a leader that comes to nothing leaves its flight listed", &["flight::loader_fails", "flight::loader_panics", "flight::loaders_panic_and_fail"], &[(LOAD, "        self.flights.land(self.hash.0, &self.flight, self.outcome.take());", "        if self.outcome.is_some() {\n            self.flights.land(self.hash.0, &self.flight, self.outcome.take());\n        }")]),
    caught("a landing wakes nobody", &["flight::two_loaders", "flight::loader_fails"], &[(FLIGHT, "        flight.landed.notify_all();\n", "")]),
    caught("a landing wakes one", &["flight::three_loaders"], &[
        (FLIGHT, "        flight.landed.notify_all();", "        flight.landed.notify_one();"),
        (MODEL, "    pub fn notify_all(&self) {", "    pub fn notify_one(&self) {\n        self.0.notify_one();\n    }\n    pub fn notify_all(&self) {"),
    ]),
    caught("a leader publishes over what is there", &["flight::load_insert"], &[(LOAD, "            if let Some(there) = debts.found.take() {\n                drop(guard);\n                let there = E::value(there, &mut debts.kept);\n                return Ok(after((this, debts, value), there));\n            }", "            if debts.found.is_some() {\n                let node = this.node.take().expect(\"not published yet\");\n                match survey.replace(node, &guard, &mut debts.later) {\n                    Ok(share) => { drop(share); this.outcome = Some(value.clone()); return Ok(value); }\n                    Err(back) => { this.node = Some(back); continue; }\n                }\n            }")]),
    caught("a leader shares what it found in the map", &["flight::load_insert_remove"], &[(LOAD, "                return Ok(after((this, debts, value), there));", "                this.outcome = Some(there.clone());\n                return Ok(after((debts, value, this), there));")]),
    caught("keys of one hash share a flight", &["flight::load_of_another_key"], &[(FLIGHT, "Some(key) if same(key) =>", "Some(key) if same(key) || true =>")]),
    caught("a thread doesn't look whether it waits for itself", &["flight::loader_waits_for_itself"], &[(FLIGHT, "            if on.leader == me {", "            if on.leader == me && false {")]),
    caught("a ring is looked for one wait deep", &["flight::ring_of_two"], &[(FLIGHT, "            next = table.get(&on.leader);", "            next = None;")]),
    caught("a ring is looked for two waits deep", &["flight::ring_of_three_through_two_maps"], &[
        (FLIGHT, "        let mut next = Some(ticket);", "        let (mut next, mut deep) = (Some(ticket), 0);"),
        (FLIGHT, "            next = table.get(&on.leader);", "            deep += 1;\n            next = if deep < 2 { table.get(&on.leader) } else { None };"),
    ]),
    caught("a wait is noted after the table is unlocked", &["flight::ring_of_two"], &[
        (FLIGHT, "        let mut table = waits().lock();\n        let mut next", "        let table = waits().lock();\n        let mut next"),
        (FLIGHT, "        table.insert(me, Arc::clone(ticket));", "        drop(table);\n        waits().lock().insert(me, Arc::clone(ticket));"),
    ]),
    caught("a wait that is over counts", &["flight::landed_wait"], &[(FLIGHT, "            if on.landed.load(Ordering::Acquire) {\n                break;\n            }\n", "")]),
    caught("a key is not hidden while its node is published", &["flight::compare_publish_remove_retire"], &[(LOAD, "            this.flight.seal();\n", "")]),
    caught("a node that was not published goes at once", &["flight::compare_fail"], &[(NODE, "Node::retire(self.0, &reclaim::pin())", "drop(Box::from_raw(self.0.as_ptr()))")]),
    caught("a joiner compares under no guard", &["flight::compare_fail"], &[(LOAD, "                let _guard = pin();\n                let same =", "                let same =")]),
];
