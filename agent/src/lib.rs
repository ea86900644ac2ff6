//! The agent: finds a guest's user-data and carries it out.
//!
//! The program in `main.rs` reads a [`Call`], runs it and prints what went wrong through a [`Report`]. With the
//! feature `hostile`, `fuzz/` gets the checks of what must hold whatever the agent is given.

mod accounts;
mod analyze;
mod apply;
mod args;
mod authorized_keys;
mod block;
mod call;
mod changes;
mod clean;
mod cloud_init;
mod codec;
mod command_line;
#[cfg(test)]
mod completions;
mod date;
mod dmi;
mod dry_run;
mod dsmode;
mod fetch;
mod generator;
mod handlers;
mod instance;
mod instance_data;
mod interfaces;
mod jinja;
mod json;
mod layout;
mod machine;
mod meta_data;
mod modules;
mod named;
mod nocloud;
mod not_carried_out;
mod os_release;
mod ovf_environment;
mod part_handler;
mod people;
mod plan;
mod query;
mod record;
mod report;
mod rescue;
mod root;
mod schedule;
mod search;
mod seed;
mod sources;
mod stages;
mod status;
mod switch;
mod system_config;
mod system_info;
#[cfg(test)]
mod table;
mod target;
mod template;
mod texts;
mod trace;
mod user_data;
mod validate;
mod volume;
mod yaml;

pub use call::Call;
pub use report::Report;

/// The checks for `fuzz/`. A check that fails panics.
#[cfg(feature = "hostile")]
pub mod hostile {
    /// Takes bytes as user-data that includes nothing.
    pub fn mime(data: &[u8]) {
        crate::user_data::hostile::mime(data);
    }

    /// Takes bytes as compressed data.
    pub fn unpack(data: &[u8]) {
        crate::user_data::hostile::unpack(data);
    }

    /// Takes bytes as configurations and JSON patches that are merged.
    pub fn merge(data: &[u8]) {
        crate::user_data::hostile::merge(data);
    }

    /// Takes bytes as a text in YAML.
    pub fn yaml(data: &[u8]) {
        crate::yaml::hostile::check(data);
    }

    /// Takes bytes as a whole seed.
    pub fn process(data: &[u8]) {
        crate::stages::hostile::check(data);
    }
}
