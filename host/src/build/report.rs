//! What the Python SDK tells of a build: `report.json`, which it writes beside itself.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;

/// The report. Written by the app's own process, so every field may lie; it only ever becomes text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    /// Why there is no component: file, reason and mend, then the traceback.
    pub(super) error: Option<String>,
    pub(super) warnings: Vec<Warning>,
    /// What the app printed.
    pub(super) output: String,
    /// Folders of the app's SQLite databases, as far as they are known; none if it uses no SQLite.
    pub(super) databases: Option<Vec<String>>,
}

/// Something that the author should know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Warning {
    /// One line.
    pub(super) message: String,
    /// A traceback, if there is one.
    pub(super) log: String,
}

/// What the SDK keeps of what the app prints is a fiftieth of it; what is longer is not the SDK's.
const SIZE_MAX: u64 = 16 << 20;

/// Lines that are shown of one text, half of them its first and half its last.
const LINES_MAX: usize = 400;

/// The report that is there, if there is one.
pub(super) fn read(path: &Path) -> Option<Report> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(SIZE_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The beginning and the end of a long text.
pub(super) fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= LINES_MAX {
        return text.to_owned();
    }
    let (first, last) = (&lines[..LINES_MAX / 2], &lines[lines.len() - LINES_MAX / 2..]);
    format!("{}\n... {} lines ...\n{}", first.join("\n"), lines.len() - LINES_MAX, last.join("\n"))
}

impl Report {
    /// The notes for the author, each a text of its own.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self
            .warnings
            .iter()
            .map(|Warning { message, log }| format!("warning: {message}\n{}", indented(log)).trim_end().to_owned())
            .collect();
        if !self.output.trim().is_empty() {
            notes.push(format!("the app printed at the build:\n{}", indented(&self.output)));
        }
        notes
    }
}

fn indented(text: &str) -> String {
    shortened(text).trim_end().lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_and_output_become_notes() {
        let report: Report = serde_json::from_str(
            r#"{"error": null, "warnings": [{"message": "GET /: 500", "log": "Traceback\n  x\n"}], "environ": ["A"], "output": "hi\n"}"#,
        )
        .unwrap();
        assert_eq!(report.error, None);
        assert_eq!(report.notes(), ["warning: GET /: 500\n  Traceback\n    x", "the app printed at the build:\n  hi"]);
        assert!(Report::default().notes().is_empty());
    }

    #[test]
    fn of_a_long_text_the_beginning_and_the_end_are_shown() {
        let lines: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let shown = shortened(&lines.join("\n"));
        assert!(shown.starts_with("0\n1\n") && shown.ends_with("\n998\n999"), "{shown}");
        assert!(shown.contains("\n199\n... 600 lines ...\n800\n"), "{shown}");
        assert_eq!(shortened("a\nb\n"), "a\nb\n");
    }
}
