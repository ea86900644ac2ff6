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
fn without_a_seed_or_with_the_switch_there_is_no_file() {
    for cmdline in ["root=/dev/vda ro", "ds=nocloud;s=http://x/ lifeboat.seed=off", "ds=nocloud lifeboat=off"]
    {
        let ran = Scratch::new().cmdline(cmdline).run("seed", "ls -A /run");
        assert_eq!((ran.status, ran.seen.as_str()), (0, ""), "{cmdline}");
        assert!(ran.said.contains("lifeboat: seed: skipped: "), "{}", ran.said);
    }
}

#[test]
fn a_bad_seed_is_refused_whole_and_said() {
    let ran = Scratch::new().cmdline("ds=nocloud;s=gopher://x/;h=web-1").run("seed", "ls -A /run");
    assert_eq!((ran.status, ran.seen.as_str()), (1, ""));
    assert!(
        ran.said.contains("lifeboat: seed: ds=nocloud;s=gopher://x/;h=web-1: `s=gopher://x/`"),
        "{}",
        ran.said
    );
}
