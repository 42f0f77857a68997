//! What can be measured, by name.

use crate::failure::Result;
use crate::lab::Lab;
use crate::report::Report;

mod density;
mod fairness;
mod hello;
mod in_process;
mod languages;
mod overload;
mod python;
mod start;

/// One of `cargo xtask bench SCENARIO...`.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Lab) -> Result<Report>,
    /// Only by its name: it takes too long, or too much of the disk.
    pub(crate) only_named: bool,
}

/// All, in the order of the results.
pub(crate) const SCENARIOS: [Scenario; 9] = [
    Scenario { name: "in-process", run: in_process::run, only_named: false },
    Scenario { name: "hello", run: hello::run, only_named: false },
    Scenario { name: "python", run: python::run, only_named: false },
    Scenario { name: "languages", run: languages::run, only_named: false },
    Scenario { name: "start", run: start::run, only_named: false },
    Scenario { name: "density", run: density::thousand, only_named: false },
    Scenario { name: "density-10000", run: density::ten_thousand, only_named: true },
    Scenario { name: "fairness", run: fairness::run, only_named: false },
    Scenario { name: "overload", run: overload::run, only_named: false },
];
