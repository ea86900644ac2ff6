//! The export of the modules beside the specification's own recipe: guests that differ in nothing else.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};

use super::figures::{figure, name, ratio, spread};
use crate::export::{Content, Exporter};
use crate::guest::Guests;
use crate::measured::{MEMORY, Measured, Memory};
use crate::phase;
use crate::vm::{Clock, Machine};

const EXPORTERS: [Exporter; 5] =
    [Exporter::Recipe, Exporter::Removed, Exporter::Bind, Exporter::Copy, Exporter::Nothing];

/// Boots of their own, and what is read from them.
struct Series {
    clock: Clock,
    boots: usize,
    parameter: &'static str,
    measures: &'static [Measure],
}

struct Measure {
    name: &'static str,
    unit: &'static str,
    /// In thousandths of the unit.
    of: fn(&Measured) -> Option<u64>,
}

const SERIES: [Series; 3] = [
    Series {
        clock: Clock::Time,
        boots: 3,
        parameter: "",
        measures: &[Measure { name: "elapsed", unit: "ms", of: |measured| Some(measured.micros) }],
    },
    // Elapsed time is worth nothing under this clock: it leaps while a disk is waited for.
    Series {
        clock: Clock::Instructions,
        boots: 2,
        parameter: "",
        measures: &[Measure { name: "instructions", unit: "M", of: |measured| Some(measured.cpu) }],
    },
    Series {
        clock: Clock::Time,
        boots: 2,
        parameter: MEMORY,
        measures: &[
            Measure {
                name: "free memory",
                unit: "MiB",
                of: |measured| mebibytes(measured, |memory| memory.free),
            },
            Measure {
                name: "allocated",
                unit: "MiB",
                of: |measured| mebibytes(measured, |memory| memory.charged),
            },
        ],
    },
];

fn mebibytes(measured: &Measured, kib: fn(&Memory) -> u64) -> Option<u64> {
    measured.memory.as_ref().map(|memory| kib(memory) * 1000 / 1024)
}

/// Boots all in turn, for each measure and each content of the initramfs.
pub(super) fn table(guests: &Guests) -> Result<String> {
    let mut table = format!(
        "{:<14}{:<9}{:<9}{:>12}{:>12}{:>12}{:>14}\n",
        "measure", "modules", "export", "median", "least", "most", "the recipe's"
    );
    for content in [Content::Most, Content::All] {
        for series in &SERIES {
            let boots = boots(guests, series, content)?;
            for measure in series.measures {
                write_rows(&mut table, measure, content, &boots)?;
            }
        }
    }
    write!(
        table,
        "\nfree memory: by how much it fell at the most; allocated: by the export, what it gave back not counted. \
         removed: the recipe, and its source removed, which copy does and the recipe leaves to run-init. Wanted: bind \
         in 1/20 of the recipe's time for all modules and 1/10 for most, in under 1 MiB and no longer for more \
         modules; copy no slower than `removed`, with less free memory lost than its largest file takes"
    )?;
    Ok(table)
}

fn write_rows(
    table: &mut String,
    measure: &Measure,
    content: Content,
    boots: &[Vec<Measured>],
) -> Result<()> {
    let mut recipe = None;
    for (exporter, boots) in EXPORTERS.into_iter().zip(boots) {
        let figures = boots.iter().map(measure.of).collect::<Option<Vec<_>>>();
        let [median, least, most] =
            figures.and_then(spread).with_context(|| format!("read the {}", measure.name))?;
        let share = format!("1/{:.1}", ratio(*recipe.get_or_insert(median), median));
        let [median, least, most] =
            [median, least, most].map(|thousandths| figure(thousandths, measure.unit));
        let (measure, content, exporter) = (measure.name, name(content), name(exporter));
        writeln!(
            table,
            "{measure:<14}{content:<9}{exporter:<9}{median:>12}{least:>12}{most:>12}{share:>14}"
        )?;
    }
    Ok(())
}

/// The times of each exporter's boots, in turn: what else the host does falls on all.
fn boots(guests: &Guests, series: &Series, content: Content) -> Result<[Vec<Measured>; EXPORTERS.len()]> {
    let mut all = EXPORTERS.map(|_| Vec::new());
    let Series { clock, boots, parameter, .. } = series;
    for boot in 1..=*boots {
        for (exporter, measured) in EXPORTERS.into_iter().zip(&mut all) {
            phase::say(&format!("{clock:?} {parameter}, {content:?}, {exporter:?}: boot {boot} of {boots}"));
            let platform = exporter.platform(content);
            let mut vm = Machine::new(guests)
                .platform(&platform)
                .clock(*clock)
                .parameter(parameter)
                .parameter(exporter.parameter())
                .disk(exporter.root(&platform, guests)?)
                .boot()?;
            vm.wait_for_login("own")?;
            let said = exporter.says();
            ensure!(vm.console.text().contains(said), "{exporter:?} did not say `{said}`");
            measured.push(Measured::of(&mut vm)?);
        }
    }
    Ok(all)
}
