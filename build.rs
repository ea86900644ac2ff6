//! Tells the linker where libblkid is: `blkid-sys` only names it.
//!
//! For the static binary, `.cargo/config.toml` points pkg-config at the libblkid that was built for musl.

fn main() {
    println!("cargo::rerun-if-changed=.libblkid/built-with");
    println!("cargo::rerun-if-changed=build.rs");
    if let Err(error) = pkg_config::Config::new().atleast_version("2.30").probe("blkid") {
        println!("cargo::error=libblkid was not found (run `cargo vm build` once, it sets it up): {error}");
    }
}
