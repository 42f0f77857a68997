//! What the Python SDK tells of a build: `report.json`, which it writes beside itself.

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
    text.trim_end().lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
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
}
