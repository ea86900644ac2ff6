//! Where files are: cloud-init's layout, and the names of the boothooks specification below `data`.

pub(crate) const INSTANCES: &str = "var/lib/cloud/instances";
pub(crate) const INSTANCE: &str = "var/lib/cloud/instance";
pub(crate) const INSTANCE_ID: &str = "var/lib/cloud/data/instance-id";
pub(crate) const PREVIOUS_INSTANCE_ID: &str = "var/lib/cloud/data/previous-instance-id";
pub(crate) const RUN_INSTANCE_ID: &str = "run/cloud-init/.instance-id";
pub(crate) const USER_DATA_RAW: &str = "var/lib/cloud/data/user-data.raw";
pub(crate) const USER_DATA: &str = "var/lib/cloud/data/user-data.txt";
pub(crate) const STATUS: &str = "var/lib/cloud/data/status.json";
pub(crate) const RESULT: &str = "var/lib/cloud/data/result.json";
pub(crate) const RUN_STATUS: &str = "run/cloud-init/status.json";
pub(crate) const RUN_RESULT: &str = "run/cloud-init/result.json";
pub(crate) const SCRIPTS: &str = "var/lib/cloud/scripts";
/// Directories in it. Others put scripts into them, without a look whether they are there.
pub(crate) const SCRIPT_DIRECTORIES: [&str; 4] = ["per-boot", "per-instance", "per-once", "vendor"];
pub(crate) const SEMAPHORES: &str = "var/lib/cloud/sem";
/// The configuration that `cloud-config-url=` led to.
pub(crate) const SYSTEM_CONFIG: &str = "etc/cloud/cloud.cfg.d/91_kernel_cmdline_url.cfg";
/// The output of the user's scripts, in the file that the specification of Natty's images names.
pub(crate) const USER_DATA_LOG: &str = "var/log/user_data.log";
pub(crate) const OUTPUT: &str = "var/log/cloud-init-output.log";
pub(crate) const USER_CONFIG: &str = "var/lib/cloud/data/user-config.txt";
pub(crate) const INSTANCE_DATA: &str = "run/cloud-init/instance-data.json";
pub(crate) const SENSITIVE_INSTANCE_DATA: &str = "run/cloud-init/instance-data-sensitive.json";
/// The directory of data that belongs to a source, in a directory of its name.
pub(crate) const DATA: &str = "var/lib/cloud/data";
/// A link to the file that names the source, whose own name names it too.
pub(crate) const CLOUD_ID: &str = "run/cloud-init/cloud-id";
pub(crate) const COMBINED_CONFIG: &str = "run/cloud-init/combined-cloud-config.json";
/// Where upstart's jobs are.
pub(crate) const UPSTART: &str = "etc/init";
pub(crate) const BOOTCMD: &str = "run/cloud-init/bootcmd";
/// The handlers of this boot, with their times and results.
pub(crate) const TRACE: &str = "run/cloud-init/handlers.jsonl";
/// The lines after the first ones of this boot's problems, for root alone.
pub(crate) const DETAILS: &str = "run/cloud-init/details.jsonl";
/// The file that names the process at work on a stage of this boot.
pub(crate) const RUN_STAGE: &str = "run/cloud-init/.stage";
/// The file that switches the agent off for good.
pub(crate) const SWITCHED_OFF: &str = "etc/cloud/cloud-init.disabled";
/// The generator's finding for this boot: one of these two files.
pub(crate) const ENABLED: &str = "run/cloud-init/enabled";
pub(crate) const DISABLED: &str = "run/cloud-init/disabled";
