//! No secret of the user-data gets to where everybody may read: what a boot says, `status`, `plan`, `analyze`, and
//! files with modes for all.

use crate::machine::Machine;
use crate::server::Server;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// In every secret of the user-data, and nowhere else.
const MARK: &str = "S3CR3T";

const META: &str = "instance-id: i-1\n";

const USER_DATA: &str = "#cloud-config
password: S3CR3T-password
hostname: web
users:
- {name: me, plain_text_passwd: S3CR3T-plain, lock_passwd: false}
- {name: other, hashed_passwd: $6$S3CR3T$hash, passwd: $6$S3CR3T$passwd}
chpasswd:
  expire: false
  users:
  - {name: me, password: S3CR3T-users, type: text}
  - {name: root, password: $6$S3CR3T$users}
  list: ['me:S3CR3T-list']
ssh_keys:
  ed25519_private: |
    -----BEGIN OPENSSH PRIVATE KEY-----
    S3CR3T
    -----END OPENSSH PRIVATE KEY-----
  ed25519_public: ssh-ed25519 AAAA host
apt:
  http_proxy: http://me:S3CR3T@proxy.example:3128
  https_proxy: http://me:S3CR3T@proxy.example:3128
  sources:
    ours:
      source: deb https://me:S3CR3T@deb.example/ stable main
      key: S3CR3T-not-a-key
  conf: 'Acquire::http::Proxy \"http://me:S3CR3T@proxy.example\";'
  debconf_selections:
    one: ours ours/password password S3CR3T
chef: {server_url: 'https://me:S3CR3T@chef.example', validation_cert: S3CR3T-cert, validation_name: v}
puppet: {conf: {ca_cert: S3CR3T-ca, agent: {server: puppet.example}}}
salt_minion: {public_key: a, private_key: S3CR3T-salt}
phone_home: {url: 'http://me:S3CR3T@127.0.0.1:9/?token=S3CR3T', post: [instance_id], tries: 1}
write_files:
- {path: /root/kept, content: S3CR3T-file, permissions: '0600'}
- {path: /bad, content: S3CR3T-bad, encoding: base64}
- {path: /fetched, permissions: '0600', source: {uri: 'http://me:S3CR3T@127.0.0.1:9/x?token=S3CR3T', headers: {Authorization: S3CR3T}}}
bootcmd: [echo S3CR3T-boot, [echo, S3CR3T-words], {a: S3CR3T-map}]
runcmd: [curl -u me:S3CR3T http://x.example, {S3CR3T-key: x}]
random_seed: {data: S3CR3T-seed}
rsyslog: {configs: ['*.* @@S3CR3T.example']}
ntp: {servers: [ntp.example]}
swap: {filename: none}
";

/// Files of ours below a directory that all may read and that hold the mark.
fn leaks(directory: &Path, open: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.map(Result::unwrap) {
        let (path, about) = (entry.path(), entry.metadata().unwrap());
        if about.is_dir() && about.permissions().mode() & 0o005 == 0o005 {
            leaks(&path, open);
        }
        let is_for_all = about.is_file() && about.permissions().mode() & 0o004 != 0;
        if is_for_all && String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(MARK) {
            open.push(path.display().to_string());
        }
    }
}

fn marked(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(MARK)).collect()
}

#[test]
fn no_secret_is_told_or_left_for_all_to_read() {
    let server = Server::with_seed(USER_DATA, META);
    let machine = Machine::with_seed(&server.hand_off());
    let (_, said) = machine.boot();
    // It was carried out: what it says is kept, where root alone reads it.
    assert!(machine.read("root/kept").contains(MARK), "{said}");
    let kept = "var/lib/cloud/instances/i-1/user-data.txt";
    assert!(machine.read(kept).contains(MARK));
    assert_eq!(machine.mode(kept) & 0o077, 0);
    let mut told = vec![("boot", said)];
    for words in
        [&["status"][..], &["status", "--long"], &["status", "--json"], &["plan"], &["analyze", "show"]]
    {
        told.push((words[0], machine.agent(words).1));
    }
    for (what, text) in &told {
        assert_eq!(marked(text), [""; 0], "{what}");
    }
    let mut open = Vec::new();
    leaks(&machine.path(""), &mut open);
    assert_eq!(open, [""; 0]);
}
