//! All that the gate must cover.

use lifeboat_qemu::guest::RunInit;

use super::{Ability, Covers, Generator, Journey, OUTCOMES, Stage};

const STAGES: [Stage; 8] = [
    Stage::Premount,
    Stage::Block,
    Stage::Wait,
    Stage::Resolve,
    Stage::Mounted,
    Stage::Bottom,
    Stage::Modules,
    Stage::Seed,
];
const RUN_INITS: [RunInit; 2] = [RunInit::Klibc, RunInit::Busybox];
const JOURNEYS: [Journey; 3] = [Journey::Rescue, Journey::Modules, Journey::Seed];
const GENERATORS: [Generator; 2] = [Generator::Bookworm, Generator::Trixie];
const ABILITIES: [Ability; 5] =
    [Ability::Seeded, Ability::Unseeded, Ability::InRescue, Ability::Repair, Ability::Settle];

/// All that must be covered. To add a capability: its pair here, and a test in the gate that declares it.
pub(crate) fn wanted() -> Vec<Covers> {
    let outcomes = OUTCOMES.iter().map(|(stage, outcome, ..)| Covers::Stage(*stage, *outcome));
    let left = STAGES.iter().flat_map(|stage| RUN_INITS.map(|run_init| Covers::Left(*stage, run_init)));
    let by = JOURNEYS.iter().flat_map(|journey| GENERATORS.map(|generator| Covers::By(*journey, generator)));
    outcomes.chain(left).chain(by).chain(ABILITIES.map(Covers::Agent)).chain([Covers::Packages]).collect()
}

/// The pairs that no test declares.
pub(crate) fn missing(declared: &[Covers]) -> Vec<Covers> {
    wanted().into_iter().filter(|wanted| !declared.contains(wanted)).collect()
}

mod tests {
    use super::super::Outcome::{Done, Failed};
    use super::*;

    #[test]
    fn each_pair_is_wanted_once() {
        let wanted = wanted();
        assert!(wanted.len() > 50, "{}", wanted.len());
        for covers in &wanted {
            assert_eq!(wanted.iter().filter(|other| *other == covers).count(), 1, "{covers:?}");
        }
        for stage in STAGES {
            assert!(wanted.contains(&Covers::Stage(stage, Done)), "{stage:?}");
            assert!(wanted.contains(&Covers::Stage(stage, Failed)), "{stage:?}");
        }
    }

    #[test]
    fn what_nobody_declares_is_missing() {
        let mut declared = wanted();
        assert_eq!(missing(&declared), []);
        let last = declared.pop().unwrap();
        assert_eq!(missing(&declared), [last]);
    }
}
