//! Guests put together on the spot from `tests/guests/raw.wat`: what no compiler would make, in as many variants as a
//! test has rows.

use wasgi_harness::{Host, HostBuilder};

/// The parts of one component; each is text of a `.wat` file.
#[derive(Debug, Default)]
pub(crate) struct Raw {
    /// Items of the component, such as modules and their instances.
    pub(crate) component: String,
    /// What `$main` is instantiated with besides, such as `(with "other" (instance $other))`.
    pub(crate) with: String,
    /// Items of the core module `$main`: imports first.
    pub(crate) main: String,
    functions: Vec<String>,
}

impl Raw {
    /// A component of which only `/0` is there, which answers `ok`.
    pub(crate) fn new() -> Self {
        Self { functions: vec!["(call $ok (local.get $start))".into()], ..Self::default() }
    }

    /// Adds the body of a function of `$environ`, `$start` and `$number` to a returned pointer; its path.
    pub(crate) fn function(&mut self, code: &str) -> String {
        self.functions.push(code.into());
        format!("/{}", self.functions.len() - 1)
    }

    /// The text of the component.
    fn text(&self) -> String {
        let count = self.functions.len();
        let names: String = (0..count).map(|index| format!(" $f{index}")).collect();
        let bodies = self.functions.iter().enumerate();
        let bodies: String = bodies.map(|(index, code)| format!("(func $f{index} {PARAMS} {code})\n")).collect();
        let main = format!(
            "{}\n(table $functions {count} funcref)\n(elem (table $functions) (i32.const 0) func{names})\n{bodies}",
            self.main,
        );
        TEMPLATE
            .replace(";; $component\n", &self.component)
            .replace(";; $with\n", &self.with)
            .replace(";; $main\n", &main)
    }

    /// The component.
    ///
    /// # Panics
    /// If a part is no valid text.
    pub(crate) fn assemble(&self) -> Vec<u8> {
        wat::parse_str(self.text()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Writes it as `raw.wasm` into the folder that the host will have.
    pub(crate) fn write(&self, builder: &HostBuilder) {
        std::fs::write(builder.path("raw.wasm"), self.assemble()).expect("a file in a new folder");
    }

    /// A host that serves it at `/raw`, and `hello` beside it.
    pub(crate) fn beside_hello(&self) -> HostBuilder {
        let builder = Host::dir(&["hello"]);
        std::fs::write(builder.path("apps/raw.wasm"), self.assemble()).expect("a file in a new folder");
        builder
    }
}

const PARAMS: &str = "(param $environ i32) (param $start i32) (param $number i32) (result i32)";

const TEMPLATE: &str = include_str!("../guests/raw.wat");
