//! The formats that the boot program and the agent share, and the files that the one hands over to the other.

pub mod check;
pub mod command_line;
pub mod environment_file;
pub mod hand_off;
pub mod in_root;
pub mod module_tree;
pub mod mounts;
pub mod rescue_volume;
pub mod text;
