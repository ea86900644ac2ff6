//! Modules packed by the programs that pack them, whole and damaged.

#![expect(clippy::disallowed_methods, reason = "these tests start the programs that pack modules")]

use super::*;
use std::io::Write as _;
use std::process::Command;

/// Each way to pack that Linux distributions use, and what else the formats know.
const PACKERS: [&str; 14] = [
    "gzip -1",
    "gzip -n -9",
    "gzip -n -6 --rsyncable",
    "xz --check=crc32 --lzma2=dict=1MiB",
    "xz -9e",
    "xz -0 --check=none",
    "xz --check=sha256 --block-size=20000",
    "xz -T2 --check=crc64 --block-size=50000",
    "xz --lzma2=preset=6,lc=1,lp=3,pb=0",
    "zstd -1",
    "zstd -19 --no-check",
    "zstd --ultra -22",
    "zstd -3 --long=24",
    "zstd -T2 --no-content-size",
];

/// Text, tables, long repeats and what cannot be packed, in turn, as in a module.
fn module(size: usize) -> Vec<u8> {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap()
    };
    let mut module = b"\x7fELF\0vermagic=6.1.0-50 SMP mod_unload modversions \0".to_vec();
    while module.len() < size {
        match random() % 8 {
            0 => module.extend((0..random() % 3000).map(|_| random().to_le_bytes()[0])),
            1 => module.extend(std::iter::repeat_n(random().to_le_bytes()[0], random() % 2000)),
            2..5 => module.extend((0..random() % 50).flat_map(|line| [0, 0, 0xe8, line.to_le_bytes()[0]])),
            _ => {
                let from = random() % module.len();
                let to = module.len().min(from + random() % 400);
                module.extend_from_within(from..to);
            }
        }
    }
    module.truncate(size);
    module
}

fn pack(command: &str, content: &[u8]) -> Vec<u8> {
    let (program, options) = command.split_once(' ').unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    let output = Command::new(program)
        .args(options.split(' '))
        .arg("-c")
        .arg(file.path())
        .output()
        .unwrap_or_else(|error| panic!("start {command}: {error} (`cargo vm test` installs it)"));
    assert!(output.status.success(), "{command}");
    output.stdout
}

#[test]
fn what_any_packer_packed_is_unpacked() {
    for size in [60, 5000, 120_000] {
        let module = module(size);
        for packer in PACKERS {
            let unpacked = decode(&pack(packer, &module)).map(|unpacked| unpacked == module);
            assert!(unpacked.is_ok_and(|same| same), "{packer}, {size} bytes");
        }
    }
}

#[test]
fn what_is_not_packed_is_taken_as_it_is() {
    assert_eq!(*decode(&module(5000)).unwrap(), module(5000));
    assert!(decode(b"").unwrap().is_empty());
}

#[test]
fn what_ends_early_is_never_taken_for_the_module() {
    let module = module(3000);
    for packer in PACKERS {
        let packed = pack(packer, &module);
        // The checksum at the end, which a decoder may leave alone, has 8 bytes in gzip.
        for end in 6..packed.len() - 8 {
            assert!(decode(&packed[..end]).map_or(true, |unpacked| *unpacked == module), "{packer}, {end}");
        }
        for end in 6..packed.len() / 2 {
            assert!(decode(&packed[..end]).is_err(), "{packer}, {end} of {} bytes", packed.len());
        }
    }
}

#[test]
fn flipped_bits_end_a_decoder_or_lead_to_other_bytes() {
    let module = module(3000);
    for packer in PACKERS {
        let packed = pack(packer, &module);
        let mut refused = 0;
        for place in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[place] ^= 1 << (place % 8);
            match decode(&damaged) {
                Ok(unpacked) => assert!(unpacked.len() <= LARGEST_MODULE),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 0, "{packer}: no flipped bit was noticed in {} bytes", packed.len());
    }
}

#[test]
fn whatever_follows_the_first_bytes_of_a_format_ends() {
    let random = module(40_000);
    for (magic, ..) in FORMATS {
        for start in (0..random.len() - 600).step_by(97) {
            let hostile = [magic, &random[start..start + 600]].concat();
            assert!(decode(&hostile).map_or(true, |unpacked| unpacked.len() <= LARGEST_MODULE));
        }
    }
}

#[test]
fn a_few_bytes_that_become_many_are_given_up() {
    const MOST: usize = 1 << 20;
    let zeros = vec![0; MOST];
    let more = vec![0; MOST + 1];
    for packer in ["gzip -9", "xz -6", "zstd -19", "zstd -1 --no-content-size"] {
        assert_eq!(decode_up_to(&pack(packer, &zeros), MOST).unwrap().len(), MOST, "{packer}");
        assert!(decode_up_to(&pack(packer, &more), MOST).is_err(), "{packer}");
    }
    let one_too_large = pack("zstd -1", &vec![0; LARGEST_MODULE + 1]);
    assert!(decode(&one_too_large).is_err());
    assert_eq!(decode_up_to(&one_too_large, LARGEST_MODULE + 1).unwrap().len(), LARGEST_MODULE + 1);
}

#[test]
fn a_size_in_a_header_reserves_nothing() {
    for hostile in [
        // A window of 3.75 TiB; content of 2^64 - 1 bytes in one segment.
        &b"\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00"[..],
        b"\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00",
        // A skippable frame of 4 GiB behind an empty one.
        b"\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00\x50\x2a\x4d\x18\xff\xff\xff\xff",
        // A block of xz that says that it holds 2^63 - 1 bytes.
        b"\xfd7zXZ\0\0\x01\x69\x22\xde\x36\x03\x80\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x21\x01\x28\0\0",
        // A field of 65,535 bytes in the header of gzip.
        b"\x1f\x8b\x08\x04\0\0\0\0\0\0\xff\xff",
    ] {
        assert!(decode(hostile).map_or(true, |module| module.is_empty()), "{}", hostile.escape_ascii());
    }
}

#[test]
fn a_filter_that_modules_are_not_packed_with_is_refused() {
    assert!(decode(&pack("xz --x86 --lzma2=preset=6", &module(5000))).is_err());
    assert!(decode(&pack("xz --delta --lzma2=preset=6", &module(5000))).is_err());
}

#[test]
fn a_module_in_very_many_blocks_is_given_up() {
    let module = module(30_000);
    assert_eq!(decode(&pack("xz -0 --block-size=120", &module)).unwrap().as_ref(), module);
    assert!(decode(&pack("xz -0 --block-size=100", &module)).is_err());
}
