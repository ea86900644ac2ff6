//! `lifeboat seed` on scratch roots.

use crate::scratch::Scratch;

const LOOK: &str = "stat -c %a /run/lifeboat/seed && cat /run/lifeboat/seed";

#[test]
fn the_seed_is_handed_over_for_root_alone() {
    let ran = Scratch::new().cmdline("ro ds=nocloud;s=http://10.0.2.2/;h=web-1 quiet").run("seed", LOOK);
    assert_eq!(ran.status, 0, "{}", ran.said);
    assert_eq!(ran.seen, "600\nSOURCE=nocloud\nSEED_FROM=http://10.0.2.2/\nLOCAL_HOSTNAME=web-1\n");
    assert!(ran.said.contains("lifeboat: seed: handed over as nocloud"), "{}", ran.said);
}

#[test]
fn each_way_to_name_a_seed_is_handed_over() {
    for (parameter, source, seed) in [
        (
            "ds=nocloud-net;seedfrom=http://10.0.2.2/%s;local-hostname=web-2;instance-id=i-2",
            "nocloud-net",
            "SEED_FROM=http://10.0.2.2/%s\nLOCAL_HOSTNAME=web-2\nINSTANCE_ID=i-2\n",
        ),
        (
            "cloud-config-url=http://10.0.2.2/config",
            "cloud-config-url",
            "CLOUD_CONFIG_URL=http://10.0.2.2/config\n",
        ),
        ("lifeboat.seed=http://10.0.2.2/seed/", "lifeboat.seed", "SEED_FROM=http://10.0.2.2/seed/\n"),
        ("ds=nocloud;i=i-3 lifeboat.seed=/seed", "lifeboat.seed", "SEED_FROM=/seed\nINSTANCE_ID=i-3\n"),
    ] {
        let ran = Scratch::new().cmdline(&format!("ro {parameter} quiet")).run("seed", LOOK);
        assert_eq!(ran.status, 0, "{}", ran.said);
        assert_eq!(ran.seen, format!("600\nSOURCE={source}\n{seed}"), "{parameter}");
        assert!(ran.said.contains(&format!("lifeboat: seed: handed over as {source} ")), "{}", ran.said);
    }
}

#[test]
fn without_a_seed_or_with_the_switch_there_is_no_file() {
    for cmdline in ["root=/dev/vda ro", "ds=nocloud;s=http://x/ lifeboat.seed=off", "ds=nocloud lifeboat=off"]
    {
        let ran = Scratch::new().cmdline(cmdline).run("seed", "ls -A /run");
        assert_eq!((ran.status, ran.seen.as_str()), (0, ""), "{cmdline}");
        assert!(ran.said.contains("lifeboat: seed: skipped: "), "{}", ran.said);
    }
}

#[test]
fn an_underscore_in_the_host_name_is_taken() {
    let ran = Scratch::new().cmdline("ds=nocloud;s=http://x/;h=a_b").run("seed", LOOK);
    assert_eq!((ran.status, ran.seen.lines().last()), (0, Some("LOCAL_HOSTNAME=a_b")), "{}", ran.said);
}

#[test]
fn a_bad_field_costs_only_itself_and_is_said() {
    let line = "ds=nocloud;s=http://x/;h=a'b;i=i-1";
    let said = format!("{line}: `h=a'b`: not a host name");
    let ran = Scratch::new().cmdline(line).run("seed", LOOK);
    assert_eq!(ran.status, 0, "{}", ran.said);
    let handed_over = "600\nSOURCE=nocloud\nSEED_FROM=http://x/\nINSTANCE_ID=i-1\nREFUSED=";
    let seen = ran.seen.replace("\\`", "`");
    assert!(seen.starts_with(handed_over) && seen.contains(&said), "{seen}");
    assert_eq!(ran.seen.lines().count(), 5, "{}", ran.seen);
    assert!(ran.said.contains(&format!("lifeboat: seed: left out: {said}")), "{}", ran.said);
}

#[test]
fn a_seed_without_a_place_that_can_be_used_is_an_error_and_the_rest_counts() {
    let ran = Scratch::new().cmdline("ds=nocloud;s=gopher://x/;h=web-1").run("seed", LOOK);
    let handed_over = "600\nSOURCE=nocloud\nSEED_FROM=\"\"\nLOCAL_HOSTNAME=web-1\nREFUSED=";
    assert!(ran.status == 1 && ran.seen.starts_with(handed_over), "{}", ran.seen);
    assert!(
        ran.said.contains("lifeboat: seed: ds=nocloud;s=gopher://x/;h=web-1: `s=gopher://x/`"),
        "{}",
        ran.said
    );
}

#[test]
fn where_nothing_is_left_there_is_no_file() {
    for line in ["cloud-config-url=x", "ds=nocloud;s=x", "lifeboat.seed=x"] {
        let ran = Scratch::new().cmdline(line).run("seed", "ls -A /run");
        assert_eq!((ran.status, ran.seen.as_str()), (1, ""), "{line}");
        assert!(ran.said.contains(&format!("lifeboat: seed: {line}: ")), "{}", ran.said);
        assert!(ran.said.contains("neither a URL nor an absolute path"), "{}", ran.said);
    }
}

/// The stage script is init's child, with lifeboat where the package puts it.
#[test]
fn the_stage_script_hands_over_and_ends_well_whatever_the_seed() {
    const SCRIPT: &str = include_str!("../../initramfs-hooks/initramfs-tools/scripts/init-bottom/lifeboat");
    let stage = |cmdline: &str| {
        Scratch::new()
            .cmdline(cmdline)
            .file("stage", SCRIPT)
            .before("mount -t tmpfs programs usr/sbin; : >usr/sbin/lifeboat")
            .before("mount --bind lifeboat usr/sbin/lifeboat")
            .run("--version", "/bin/sh /stage; echo $?; ls /run/lifeboat/seed")
    };
    let good = stage("ds=nocloud;s=http://x/").seen;
    assert!(good.contains("lifeboat: seed: handed over as nocloud"), "{good}");
    assert!(good.ends_with("\n0\n/run/lifeboat/seed\n"), "{good}");
    let bad = stage("cloud-config-url=x").seen;
    assert!(bad.contains("lifeboat: seed: cloud-config-url=x: "), "{bad}");
    assert!(bad.contains("\n0\n") && !bad.ends_with("\n/run/lifeboat/seed\n"), "{bad}");
}
