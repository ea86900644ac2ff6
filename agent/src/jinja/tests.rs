//! The engine, held against what the original makes of the same templates.

use super::*;
use crate::instance_data::{self, InstanceFacts};
use crate::system_info::SystemInfo;
use expect_test::{Expect, expect};

/// Templates and what the original made of them.
const RECORDED: &str = include_str!("recorded.txt");

const META_DATA: &str = r#"
instance-id: i-0jinja
local-hostname: web-7.example.org
role: database
count: 3
ratio: 1.5
enabled: true
off_flag: false
nothing: null
my-dashed-key: dashed
my.dotted.key: dotted
tags: [red, green, blue]
nested: {a: {b: deep}, list: [{n: x, v: 1}, {n: y, v: 2}]}
empty_list: []
quoted: "say \"hi\" & <bye>"
multi: "one\ntwo"
uni: "Grüße"
"#;

fn known(meta_data: &str) -> yaml::Value {
    let meta_data = format!("public-keys: [ssh-rsa AAAA one, ssh-ed25519 BBBB two]\n{meta_data}");
    let meta_data = crate::meta_data::parse(meta_data.as_bytes()).unwrap();
    let facts = InstanceFacts {
        meta_data: &meta_data,
        source: "nocloud",
        place: "",
        system: &yaml::Mapping::default(),
        info: &SystemInfo::default(),
    };
    let mut data = instance_data::of(&facts);
    without_the_machine(&mut data);
    instance_data::variables(&data)
}

/// Removes the machine's data: the recorded runs knew the instance alone.
fn without_the_machine(data: &mut yaml::Value) {
    let yaml::Value::Map(data) = data else { return };
    for (name, keys) in [
        ("ds", "_doc"),
        (
            "v1",
            "distro distro_release distro_version kernel_release machine python_version system_platform variant",
        ),
    ] {
        let Some(yaml::Value::Map(mapping)) = data.get_mut(&name.into()) else { continue };
        for key in keys.split(' ') {
            mapping.remove(&key.into());
        }
    }
    for name in ["merged_cfg", "merged_system_cfg", "sys_info"] {
        data.remove(&name.into());
    }
    if let Some(yaml::Value::Map(v1)) = data.get_mut(&"v1".into()) {
        v1.set("subplatform", "nocloud");
    }
}

fn rendered(body: &str) -> Result<String, Failure> {
    render(&format!("## template: jinja\n{body}"), &known(META_DATA), &mut Allowance::default())
        .map(|rendered| rendered.text)
}

fn check(body: &str, expected: Expect) {
    expected.assert_eq(&match rendered(body) {
        Ok(text) => text,
        Err(failure) => failure.to_string(),
    });
}

#[test]
fn templates_become_what_the_original_makes_of_them() {
    let known = known(&META_DATA.replace(".example.org", ""));
    let mut wrong = Vec::new();
    for case in RECORDED.split("\n%% template\n") {
        let (template, expected) = match case.split_once("\n%% text\n") {
            Some((template, text)) => (template, Some(text)),
            None => (case.strip_suffix("\n%% refused\n").unwrap(), None),
        };
        let made = render(&format!("## template: jinja\n{template}"), &known, &mut Allowance::default()).ok();
        if made.as_ref().map(|made| made.text.as_str()) != expected {
            wrong.push(format!("{template}\n  expected {expected:?}\n  made {made:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn line_ends_of_other_systems_are_those_of_this_one() {
    assert_eq!(rendered("a\r\n{% if true %}\r\nb\r\n{% endif %}\r\n").unwrap(), "a\nb\n\n");
    assert_eq!(rendered("a\n{{ 1 }}").unwrap(), "a\n1");
}

#[test]
fn the_first_line_says_what_kind_of_template_it_is() {
    let known = known(META_DATA);
    for (text, expected) in [
        ("## template: jinja\r\n{{ v1.platform }}", Some("nocloud")),
        ("##TEMPLATE:Jinja \n{{ v1.platform }}", Some("nocloud")),
        ("#cloud-config\na: 1", None),
        ("\n## template: jinja\na: 1", None),
        ("## template: basic\na: 1", None),
        ("## template: jinja2\n{{ v1.platform }}", None),
        ("## template: jinja", Some("")),
    ] {
        let made = render(text, &known, &mut Allowance::default()).ok().map(|made| made.text);
        assert_eq!(made.as_deref(), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    check(
        "#cloud-config\na: {{ v1.instance-id }}\n",
        expect![[r"
            line 3: undefined variable `instance-id`: a `-` subtracts (perhaps you mean `instance_id`)
              3 | a: {{ v1.instance-id }}"]],
    );
    check(
        "#cloud-config\n{% if true %}\na: 1\n",
        expect![[r"
            line 4: the end is missing (`{% endif %}`)
              4 | a: 1"]],
    );
    check(
        "#cloud-config\n{% frobnicate %}\n",
        expect![[r"
            line 3: there is no statement `frobnicate` here
              3 | {% frobnicate %}"]],
    );
    check(
        "a: {{ 'x' | nosuch }}",
        expect![[r"
            line 2: there is no filter `nosuch`
              2 | a: {{ 'x' | nosuch }}"]],
    );
    check(
        "{{ ds.meta_data.a.b }}",
        expect![[r"
            line 2: `ds.meta_data` has no `a` (there is: count, dsmode, empty_list, enabled, instance_id, local_hostname, multi, my_dashed_key, my_dotted_key, nested, nothing, off_flag and 6 more)
              2 | {{ ds.meta_data.a.b }}"]],
    );
    check(
        "a: {{ v1.instance_id }}\n",
        expect![[r"
        a: i-0jinja
    "]],
    );
}

#[test]
fn missing_variables_are_named_with_what_there_is_in_their_place() {
    let missing = |body: &str| {
        let data = known("instance-id: i\na: {b: 1, c-d: 2}\nnone: {}\n");
        render(&format!("## template: jinja\n{body}"), &data, &mut Allowance::default()).unwrap().missing
    };
    let there = "a, dsmode, instance_id, none, public_keys";
    let hostname = format!("`ds.meta_data` has no `hostname` (there is: {there})");
    for (body, told) in [
        ("echo '{{ ds.meta_data.hostname }}' > /root/ran", vec![hostname.as_str()]),
        ("{{ ds['meta_data']['hostname'] }}{{ ds.meta_data.hostname }}", vec![&hostname]),
        (
            "{{ ds.meta_data.a.x }}, {{ nope }}",
            vec![
                "`ds.meta_data.a` has no `x` (there is: b, c_d)",
                "`nope` is undefined (there is: ds, sys_info, merged_system_cfg, v1 and the names in it)",
            ],
        ),
        ("{{ ds.meta_data.none.x }}", vec!["`ds.meta_data.none` has no `x` (there is: nothing)"]),
        ("{% set m = ds.meta_data.a %}{{ m.x }}", vec!["`m` has no `x` (there is: b, c_d)"]),
        ("{{ 'a' ~ ds.meta_data.a.x ~ '/b' }}", vec!["`ds.meta_data.a` has no `x` (there is: b, c_d)"]),
        // Who asks beforehand knows it.
        ("{% if ds.meta_data.x is defined %}{{ ds.meta_data.x }}{% endif %}", vec![]),
        ("{{ ds.meta_data.x | default('d') }}{{ ds.dynamic is defined }}", vec![]),
        ("{{ v1.platform }} {{ ds.meta_data.a.b }}", vec![]),
    ] {
        assert_eq!(missing(body), told, "{body}");
    }
    let data = known("instance-id: i");
    let failure =
        render("## template: jinja\n{{ ds.dynamic.x }}", &data, &mut Allowance::default()).unwrap_err();
    let told = "`ds` has no `dynamic` (there is: meta_data)";
    assert!(failure.to_string().contains(told), "{failure}");
}

#[test]
fn no_template_takes_long_or_takes_much_memory() {
    let nested = |begin: &str, end: &str| format!("{}1{}", begin.repeat(100_000), end.repeat(100_000));
    for (body, limit) in [
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}".to_owned(),
            "2000000 steps",
        ),
        (
            "{% set ns = namespace(x='x') %}{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"
                .into(),
            "steps",
        ),
        ("{{ 'x' * 99999999999 }}".into(), "10 MiB"),
        ("{{ '%99999999999d' % 1 }}".into(), "10 MiB"),
        ("{{ 'x'.ljust(99999999999) }}{{ 'x'.center(99999999999) }}".into(), "10 MiB"),
        ("{{ 'x' | center(99999999999) }}".into(), "10 MiB"),
        ("{{ 'a\\na' | indent(99999999999) }}".into(), "10 MiB"),
        ("{{ ('x' * 9999999) | replace('x', 'yyyyyyyyyy') }}".into(), "10 MiB"),
        ("{% set x = 'x' * 999999 %}{% for i in range(20) %}{{ x }}{% endfor %}".into(), "writes more than 10 MiB"),
        (
            "{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"
                .into(),
            "steps",
        ),
        ("{{ [0] * 99999999999 }}".into(), "steps"),
        ("{{ range(99999999) | list }}".into(), "100000 numbers"),
        (
            "{% set ns = namespace(x=1) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}"
                .into(),
            "deeper than 100",
        ),
        ("{% set x = [] %}{% for i in range(999) %}{% do x.append(x) %}{% endfor %}".into(), "steps"),
        (
            "{% set x = {} %}{% for i in range(999) %}{% do x.update(a=x) %}{% endfor %}".into(),
            "deeper than 100",
        ),
        ("{% set x = namespace() %}{% set x.x = x %}{{ x }}".into(), "too deep"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".into(), "deeper than 200"),
        (format!("{{{{ {} }}}}", nested("(", ")")), "deeper than 50"),
        (format!("{{{{ {} }}}}", nested("[", "]")), "deeper than 50"),
        (format!("{{{{ {}1 }}}}", "-".repeat(100_000)), "deeper than 50"),
        (format!("{{{{ {}1 }}}}", "not ".repeat(100_000)), "deeper than 50"),
        (format!("{{{{ 1{} }}}}", " + 1".repeat(100_000)), "100 operators"),
        (format!("{{{{ a{} }}}}", ".a".repeat(100_000)), "100 operators"),
        (format!("{{{{ 1{} }}}}", "|abs".repeat(100_000)), "100 operators"),
        ("{% set x = 'a' * 9999999 %}{% for i in range(9999) %}{% if x.find('b') == x %}{% endif %}{% endfor %}".into(), "steps"),
        ("{% set x = range(9999)|list %}{% for i in range(9999) %}{% if x == x %}{% endif %}{% endfor %}".into(), "steps"),
        ("{{ 1 }}".repeat(200_000), "500000 words"),
        ("{% if 1 %}".repeat(1000), "deeper than 50"),
        (format!("{{% for {}a{} in b %}}", "(".repeat(100_000), ")".repeat(100_000)), "deeper than 50"),
    ] {
        let message = rendered(&body).unwrap_err().to_string();
        let shown: String = body.chars().take(80).collect();
        assert!(message.contains(limit), "{shown}: {message}");
    }
    let long = format!("{{{{ [{}] | length }}}}", "1,".repeat(100_000));
    assert_eq!(rendered(&long).unwrap(), "100000");
    let many = format!("{{% set x = 'y' %}}{}", "{{ x }}".repeat(100_000));
    assert_eq!(rendered(&many).unwrap().len(), 100_000);
}

#[test]
fn templates_have_an_allowance_together() {
    let steps = "## template: jinja\n{% for a in range(99999) %}{% endfor %}";
    let text = "## template: jinja\n{{ 'x' * 1000000 }}";
    for (template, limit, count) in [(steps, "with those before it", 100), (text, "10 MiB together", 10)] {
        let mut allowance = Allowance::default();
        let mut render_again = || render(template, &known(META_DATA), &mut allowance);
        let failure = (0..=count).find_map(|_| render_again().err()).unwrap();
        assert!(failure.to_string().contains(limit), "{failure}");
        assert!(render(template, &known(META_DATA), &mut Allowance::default()).is_ok());
    }
}

#[test]
fn filters_that_yield_one_by_one_in_the_original_make_lists() {
    assert_eq!(
        rendered("{{ [1, 2] | map('string') }} {{ [1, 0] | select | length }}").unwrap(),
        "['1', '2'] 1"
    );
    assert_eq!(rendered("{% autoescape true %}{{ '<' }}{% endautoescape %}").unwrap(), "<");
    rendered("{{ 'http://x' | urlize }}").unwrap_err();
}
