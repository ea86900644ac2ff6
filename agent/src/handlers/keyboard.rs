//! `keyboard`: the layout of the console's keyboard.

use super::{HandlerFacts, distribution};
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::Value;
use anyhow::{Result, bail};

const FILE: &str = "/etc/default/keyboard";
const MODEL: &str = "pc105";

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let settings = match facts.config.get("keyboard") {
        None | Some(Value::Null) => return Ok(plan),
        Some(Value::Map(settings)) => settings,
        Some(other) => bail!("it is {} and no mapping", other.kind()),
    };
    let text = |key: &str| -> Result<String> {
        let text = settings.get(key).and_then(Value::scalar_text).unwrap_or_default();
        // The file is read by a shell.
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-,:+().".contains(&byte);
        if !text.bytes().all(good) {
            bail!("{key}: `{}` is no word of a keyboard's settings", text.escape_debug());
        }
        Ok(text)
    };
    let (layout, variant, options) = (text("layout")?, text("variant")?, text("options")?);
    let model = Some(text("model")?).filter(|model| !model.is_empty()).unwrap_or_else(|| MODEL.into());
    if layout.is_empty() {
        bail!("layout: it is missing (a name such as us or de)");
    }
    if !distribution::is_debian(facts.machine)? {
        plan.push(Step::run(&["localectl", "set-x11-keymap", &layout, &model, &variant, &options]));
        return Ok(plan);
    }
    let file = format!(
        "XKBMODEL=\"{model}\"\nXKBLAYOUT=\"{layout}\"\nXKBVARIANT=\"{variant}\"\nXKBOPTIONS=\"{options}\"\n\nBACKSPACE=\"guess\"\n"
    );
    plan.push(Step::Write(File::new(FILE, file, 0o644)));
    if facts.machine.has_program("setupcon")? {
        // What it saves is what the next boot sets up early.
        plan.push(Step::run(&["setupcon", "--save", "--force"]));
    } else {
        plan.problem("the console's keyboard stays as it is until console-setup is installed");
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_on;
    use super::*;
    use expect_test::expect;

    const DEBIAN: (&str, &str) = ("etc/os-release", "ID=debian\n");

    #[test]
    fn a_layout_is_written_and_set() {
        let machine = [DEBIAN, ("usr/bin/setupcon", "")];
        check_on(
            &machine,
            plan,
            "keyboard: {layout: de}",
            "",
            expect![[r#"
            write /etc/default/keyboard (79 bytes, mode 0644)
            XKBMODEL="pc105"
            XKBLAYOUT="de"
            XKBVARIANT=""
            XKBOPTIONS=""

            BACKSPACE="guess"
            run setupcon --save --force
        "#]],
        );
        let all = "keyboard: {layout: 'us,gr', model: pc104, variant: nodeadkeys, options: 'compose:rwin'}";
        check_on(
            &[DEBIAN],
            plan,
            all,
            "",
            expect![[r#"
            write /etc/default/keyboard (104 bytes, mode 0644)
            XKBMODEL="pc104"
            XKBLAYOUT="us,gr"
            XKBVARIANT="nodeadkeys"
            XKBOPTIONS="compose:rwin"

            BACKSPACE="guess"
            problem: the console's keyboard stays as it is until console-setup is installed
        "#]],
        );
        check_on(
            &[("etc/os-release", "ID=fedora\n")],
            plan,
            all,
            "",
            expect![[r"
            run localectl set-x11-keymap us,gr pc104 nodeadkeys compose:rwin
        "]],
        );
    }

    #[test]
    fn what_cannot_be_set_is_told() {
        check_on(
            &[DEBIAN],
            plan,
            "keyboard: {model: pc105}",
            "",
            expect![[r"
            problem: layout: it is missing (a name such as us or de)
        "]],
        );
        check_on(
            &[DEBIAN],
            plan,
            "keyboard: {layout: '$(id)'}",
            "",
            expect![[r"
            problem: layout: `$(id)` is no word of a keyboard's settings
        "]],
        );
        check_on(
            &[DEBIAN],
            plan,
            "keyboard: de",
            "",
            expect![[r"
            problem: it is a text and no mapping
        "]],
        );
        check_on(&[DEBIAN], plan, "a: b", "", expect![[""]]);
    }
}
