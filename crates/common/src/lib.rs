//! What the boot program and the agent read in one and the same way.

pub mod command_line;
pub mod environment_file;
pub mod in_root;
pub mod rescue_volume;
