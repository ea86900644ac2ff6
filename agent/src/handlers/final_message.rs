//! `final_message`: what is told at the end of a boot.

use super::HandlerFacts;
use crate::plan::{HandlerPlan, Step};
use crate::template;
use crate::yaml::{Mapping, Value};
use anyhow::Result;

/// Tools wait for a line like this one on the console.
const USUAL: &str = "## template: jinja
Cloud-init v. {{version}} finished at {{timestamp}}. Datasource {{datasource}}.  Up {{uptime}} seconds";

/// The variables that a message may name.
const VARIABLES: [&str; 8] =
    ["datasource", "timestamp", "uptime", "version", "DATASOURCE", "TIMESTAMP", "UPTIME", "VERSION"];

#[expect(clippy::unnecessary_wraps, reason = "plans of other handlers may fail")]
pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let text = facts.config.get("final_message").and_then(Value::scalar_text).unwrap_or_default();
    let mut template = Some(text.trim()).filter(|text| !text.is_empty()).unwrap_or(USUAL);
    let mut sample = Mapping::default();
    for name in VARIABLES {
        sample.set(name, "");
    }
    if let Err(error) = template::render(template, &sample) {
        plan.problem(format!("{error:#} (the usual message takes its place)"));
        template = USUAL;
    }
    plan.push(Step::FinalMessage { template: template.to_owned() });
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn a_message_is_the_users_or_the_usual_one() {
        let template = |config: &str| {
            let plan = testing::plan(plan, config, "");
            let [Step::FinalMessage { template }] = &plan.steps[..] else { panic!("{plan:?}") };
            (template.clone(), plan.problems)
        };
        for own in ["up $UPTIME, $datasource. at ${timestamp}", "## template: jinja\n{{ version }}"] {
            let config = format!("final_message: {own:?}");
            assert_eq!(template(&config), (own.to_owned(), vec![]));
        }
        for nothing in ["a: b", "final_message: ''", "final_message: null"] {
            assert_eq!(template(nothing), (USUAL.to_owned(), vec![]));
        }
        let (used, problems) = template("final_message: up $minutes");
        assert_eq!(used, USUAL);
        assert!(
            problems[0].starts_with("there is no variable `minutes` (known: datasource, "),
            "{problems:?}"
        );
    }
}
