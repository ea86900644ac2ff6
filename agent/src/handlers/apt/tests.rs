//! The plans for apt, setting by setting.

use super::super::testing::{check_on, plan_on};
use super::*;
use crate::machine::Paper;
use expect_test::{Expect, expect};

const DEBIAN: &[(&str, &str)] = &[
    ("etc/os-release", "ID=debian\nVERSION_CODENAME=bookworm\n"),
    ("usr/bin/apt-get", ""),
    ("etc/apt/sources.list", "# empty\n"),
];

fn check_with(more: &[(&str, &str)], config: &str, expected: Expect) {
    let files: Vec<_> = DEBIAN.iter().chain(more).copied().collect();
    check_on(&files, plan, config, "local-hostname: web.example.org", expected);
}

fn check(config: &str, expected: Expect) {
    check_with(&[], config, expected);
}

/// The path and the text of the files that a plan writes.
fn written(more: &[(&str, &str)], config: &str) -> Vec<(String, String)> {
    let files: Vec<_> = DEBIAN.iter().chain(more).copied().collect();
    let plan = plan_on(&Paper(&files), plan, config, "");
    let files = plan.steps.into_iter().filter_map(|step| match step {
        Step::Write(file) => Some((file.path, String::from_utf8_lossy(&file.content).into_owned())),
        _ => None,
    });
    files.collect()
}

#[test]
fn proxies_and_settings_have_their_files() {
    check(
        "apt: {proxy: 'http://a:1', https_proxy: 'http://b', ftp_proxy: 'http://c', conf: 'APT { A \"b\"; };'}",
        expect![[r#"
            write /etc/apt/apt.conf.d/90cloud-init-aptproxy (101 bytes, mode 0644)
            Acquire::http::Proxy "http://a:1";
            Acquire::ftp::Proxy "http://c";
            Acquire::https::Proxy "http://b";
            write /etc/apt/apt.conf.d/94cloud-init-config (15 bytes, mode 0644)
            APT { A "b"; };"#]],
    );
    check(
        "{apt_proxy: 'http://a:1', apt_ftp_proxy: 'ftp://b'}",
        expect![[r#"
        write /etc/apt/apt.conf.d/90cloud-init-aptproxy (66 bytes, mode 0644)
        Acquire::http::Proxy "http://a:1";
        Acquire::ftp::Proxy "ftp://b";
    "#]],
    );
}

#[test]
fn settings_of_an_instance_before_are_removed() {
    let stale =
        [("etc/apt/apt.conf.d/90cloud-init-aptproxy", "x"), ("etc/apt/apt.conf.d/94cloud-init-config", "x")];
    check_with(
        &stale,
        "a: b",
        expect![[r"
        remove etc/apt/apt.conf.d/90cloud-init-aptproxy
        remove etc/apt/apt.conf.d/94cloud-init-config
    "]],
    );
    check("a: b", expect![[""]]);
}

#[test]
fn answers_for_debconf_are_given() {
    check_with(
        &[("var/lib/dpkg/info/old.list", "")],
        "apt: {debconf_selections: {b: 'old old/q string x', a: \"# c\\nnew new/q boolean true\\n\"}}",
        expect![[r"
            run debconf-set-selections (with input that is not shown)
            problem: apt: debconf_selections: old is installed already (dpkg-reconfigure takes the answers over)
        "]],
    );
}

#[test]
fn sources_are_written_with_their_keys() {
    check(
        "apt:
  sources:
    one: {source: 'deb $MIRROR $RELEASE-backports main'}
    two.list: {source: 'deb [signed-by=$KEY_FILE] http://b $RELEASE main', key: \"-----BEGIN PGP PUBLIC KEY BLOCK-----\\nVersion: 1\\n\\naGVs\\nbG8=\\n=abcd\\n-----END PGP PUBLIC KEY BLOCK-----\\n\"}
    three: {source: 'deb http://c /', keyid: 'ABCD 0123', keyserver: keys.example.org, filename: other, append: false}
    four: {source: \"Types: deb\\nURIs: http://d\\nSuites: s\\nComponents: main\\n\"}
    five: {keyid: ABCD}
",
        expect![[r"
            update the lists of packages with apt-get, unless this boot did
            install with apt-get: gnupg dirmngr
            append to /etc/apt/sources.list.d/one.list (58 bytes, mode 0644)
            deb https://deb.debian.org/debian bookworm-backports main
            write /etc/apt/cloud-init.gpg.d/two.gpg (5 bytes, mode 0644)
            helloappend to /etc/apt/sources.list.d/two.list (73 bytes, mode 0644)
            deb [signed-by=/etc/apt/cloud-init.gpg.d/two.gpg] http://b bookworm main
            fetch the key ABCD 0123 from keys.example.org to /etc/apt/trusted.gpg.d/other.gpg
            write /etc/apt/sources.list.d/other.list (15 bytes, mode 0644)
            deb http://c /
            write /etc/apt/sources.list.d/four.sources (53 bytes, mode 0644)
            Types: deb
            URIs: http://d
            Suites: s
            Components: main
            fetch the key ABCD from keyserver.ubuntu.com to /etc/apt/trusted.gpg.d/five.gpg
            update the lists of packages with apt-get
        "]],
    );
}

#[test]
fn a_bad_source_costs_only_itself() {
    check(
        "apt:
  sources:
    a: {source: 'ppa:x/y'}
    b: {source: 'deb $NONE x main'}
    c: {source: 'deb [signed-by=$KEY_FILE] http://b x main'}
    d: {key: nothing}
    e: text
    f: {}
    h: {keyid: 'x; y'}
    g: {source: 'deb http://g ./'}
",
        expect![[r"
            update the lists of packages with apt-get, unless this boot did
            install with apt-get: gnupg dirmngr
            append to /etc/apt/sources.list.d/g.list (16 bytes, mode 0644)
            deb http://g ./
            update the lists of packages with apt-get
            problem: apt: sources: a: `ppa:x/y` needs add-apt-repository (of the package software-properties-common)
            problem: apt: sources: b: there is no variable `NONE` (known: RELEASE, codename, MIRROR, mirror, PRIMARY, primary, SECURITY, security)
            problem: apt: sources: c: $KEY_FILE: it has neither key nor keyid
            problem: apt: sources: d: key: it holds no key in ASCII armor (it begins with -----BEGIN PGP PUBLIC KEY BLOCK-----)
            problem: apt: sources: e: it is a text and no mapping
            problem: apt: sources: f: it has neither source nor key
            problem: apt: sources: h: keyid: `x; y` is no fingerprint
        "]],
    );
}

#[test]
fn names_that_apt_does_not_read_are_changed() {
    for (name, path) in [
        ("my+repo", "/etc/apt/sources.list.d/my_repo.list"),
        ("a@b.list", "/etc/apt/sources.list.d/a_b.list"),
        ("X.SOURCES", "/etc/apt/sources.list.d/X.SOURCES.list"),
        ("a.b:c_d-e", "/etc/apt/sources.list.d/a.b:c_d-e.list"),
        ("/etc/apt/own", "/etc/apt/own.list"),
    ] {
        let files = written(&[], &format!("apt: {{sources: {{'{name}': {{source: 'deb http://a b c'}}}}}}"));
        assert_eq!(files, [(path.to_owned(), "deb http://a b c\n".to_owned())], "{name}");
    }
}

#[test]
fn a_source_that_is_there_with_a_key_keeps_it() {
    let line = |file: &str, text: &str, source: &str| {
        let there = [(file, text)];
        let files = written(&there, &format!("apt: {{sources: {{a: {{source: '{source}'}}}}}}"));
        files.into_iter().map(|(_, text)| text).collect::<String>()
    };
    let signed = "Types: deb\nURIs: http://d/\nSuites: s t\nComponents: main\nSigned-By: /k.gpg\n";
    let file = "etc/apt/sources.list.d/debian.sources";
    for (text, source, expected) in [
        (signed, "deb http://d s extra", "deb [signed-by=/k.gpg] http://d s extra\n"),
        (
            signed,
            "deb [arch=amd64] http://d/ s extra",
            "deb [signed-by=/k.gpg arch=amd64] http://d/ s extra\n",
        ),
        (signed, "deb [signed-by=/k.gpg] http://d s extra", "deb [signed-by=/k.gpg] http://d s extra\n"),
        // Another place.
        (signed, "deb http://d u extra", "deb http://d u extra\n"),
        (signed, "deb http://e s extra", "deb http://e s extra\n"),
        // apt 2 would stop at all sources.
        (signed, "deb [signed-by=/other.gpg] http://d s extra", ""),
        ("Types: deb\nURIs: http://d\nSuites: s\n", "deb [signed-by=/k.gpg] http://d s extra", ""),
    ] {
        assert_eq!(line(file, text, source), expected, "{source}");
    }
    // The words that switch a stanza off.
    for word in ["no", "false", "0", "off", "without", "Disable"] {
        let off = format!("{signed}Enabled: {word}\n");
        assert_eq!(line(file, &off, "deb http://d s extra"), "deb http://d s extra\n", "{word}");
    }
    for word in ["disabled", "none", "n", "", "yes"] {
        let on = format!("{signed}Enabled: {word}\n");
        assert!(line(file, &on, "deb http://d s extra").contains("signed-by"), "{word}");
    }
    // apt 3 takes both.
    let apt_3 =
        line("var/lib/dpkg/info/libapt-pkg7.0:amd64.list", "", "deb [signed-by=/k.gpg] http://d s extra");
    assert_eq!(apt_3, "deb [signed-by=/k.gpg] http://d s extra\n");
    // A file that apt does not read.
    let skipped = "etc/apt/sources.list.d/a+b.sources";
    assert_eq!(line(skipped, signed, "deb http://d s extra"), "deb http://d s extra\n");
}

#[test]
fn the_distributions_sources_are_replaced_where_that_is_asked() {
    check_with(
        &[("etc/apt/sources.list.d/debian.sources", "x")],
        "apt: {primary: [{arches: [default], uri: 'http://m/debian'}], security: [{arches: [default], uri: 'http://s'}]}",
        expect![[r"
            write /etc/apt/sources.list.d/debian.sources (305 bytes, mode 0644)
            Types: deb deb-src
            URIs: http://m/debian
            Suites: bookworm bookworm-updates bookworm-backports
            Components: main
            Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

            Types: deb deb-src
            URIs: http://s
            Suites: bookworm-security
            Components: main
            Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
            remove etc/apt/sources.list
        "]],
    );
    check_with(
        &[("etc/apt/sources.list.d/debian.sources", "x")],
        "apt: {sources_list: \"deb $MIRROR $RELEASE main\\ndeb $MIRROR new main\\n\", disable_suites: [release]}",
        expect![[r"
            write /etc/apt/sources.list (127 bytes, mode 0644)
            # suite disabled by disable_suites: deb https://deb.debian.org/debian bookworm main
            deb https://deb.debian.org/debian new main
            remove etc/apt/sources.list.d/debian.sources
        "]],
    );
}

#[test]
fn suites_are_switched_off() {
    check(
        "apt: {disable_suites: [backports, security]}",
        expect![[r"
        write /etc/apt/sources.list.d/debian.sources (418 bytes, mode 0644)
        Types: deb deb-src
        URIs: https://deb.debian.org/debian
        # disable_suites made this of: bookworm bookworm-updates bookworm-backports
        Suites: bookworm bookworm-updates
        Components: main
        Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

        Types: deb deb-src
        URIs: https://deb.debian.org/debian-security
        Enabled: no
        Suites: bookworm-security
        Components: main
        Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
        remove etc/apt/sources.list
    "]],
    );
}

#[test]
fn the_sources_stay_where_nothing_is_asked_or_the_image_says_so() {
    check(
        "apt: {proxy: 'http://a'}",
        expect![[r#"
        write /etc/apt/apt.conf.d/90cloud-init-aptproxy (33 bytes, mode 0644)
        Acquire::http::Proxy "http://a";
    "#]],
    );
    check(
        "apt: {preserve_sources_list: true, sources_list: x, primary: [{arches: [default], uri: 'http://m'}]}",
        expect![[r"
            problem: apt: sources_list: preserve_sources_list keeps the sources as they are
        "]],
    );
    check("apt_preserve_sources_list: true", expect![[""]]);
}

#[test]
fn a_mirror_is_found_by_its_name() {
    let mirror = |host: &str, entry: &str| {
        let config =
            format!("apt: {{primary: [{{{entry}}}], sources: {{a: {{source: 'deb $MIRROR b c'}}}}}}");
        let files = written(&[(host, "")], &format!("{{fqdn: web.example.org, {config}}}"));
        files.into_iter().find(|(path, _)| path.ends_with("a.list")).unwrap_or_default().1
    };
    let entry = "arches: [default], search: ['http://one/x', 'http://u@two:80/y'], search_dns: true";
    for (host, expected) in [
        ("dns/one", "deb http://one/x b c\n"),
        ("dns/two", "deb http://u@two:80/y b c\n"),
        ("dns/debian-mirror.example.org", "deb http://debian-mirror.example.org/debian b c\n"),
        ("dns/debian-mirror", "deb http://debian-mirror/debian b c\n"),
        ("dns/other", "deb https://deb.debian.org/debian b c\n"),
    ] {
        assert_eq!(mirror(host, entry), expected, "{host}");
    }
    assert_eq!(mirror("dns/other", "arches: [amd64, arm64], uri: 'http://m'"), "deb http://m b c\n");
}
