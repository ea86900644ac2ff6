//! A VM test, and the runs that it belongs to.

use anyhow::Result;

use crate::cover::Covers;

/// The smallest run of the tests that has a test; each larger one has it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// `cargo vm test`: few boots, which cover each pair once.
    Gate,
    /// `cargo vm test --full`: all that one feature or fault needs.
    Full,
    /// `cargo vm soak`: whole products, and what is only so without lifeboat.
    Soak,
}

/// A test: its name, a statement; its tier; what it covers; and what must hold.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) tier: Tier,
    pub(crate) covers: &'static [Covers],
    pub(crate) run: fn() -> Result<()>,
}

/// A test of each run. It names the pairs that it is in the gate for.
pub(crate) const fn gate(name: &'static str, covers: &'static [Covers], run: fn() -> Result<()>) -> Test {
    Test { name, tier: Tier::Gate, covers, run }
}

/// A test of full runs. It declares what its family covers.
pub(crate) const fn full(name: &'static str, run: fn() -> Result<()>) -> Test {
    Test { name, tier: Tier::Full, covers: &[], run }
}

/// A test of soak runs. It declares what its family covers.
pub(crate) const fn soak(name: &'static str, run: fn() -> Result<()>) -> Test {
    Test { name, tier: Tier::Soak, covers: &[], run }
}

/// A test that is one of a product.
pub(crate) trait OfProduct: Send + 'static {
    /// The name, as a statement.
    fn name(&self) -> String;

    /// The smallest run that has it.
    fn tier(&self) -> Tier;

    /// The pairs that it is in the gate for.
    fn covers(&self) -> &'static [Covers] {
        &[]
    }

    /// Boots the machine, and fails unless the statement holds.
    fn run(&self) -> Result<()>;
}
