//! Keeps tables complete: a file that nobody calls is a mistake.

/// Compares a folder's files with the names in its table.
pub(crate) fn check<'a>(folder: &str, names: impl Iterator<Item = &'a str>) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
    let mut files: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .filter_map(|entry| {
            Some(entry.unwrap().file_name().into_string().unwrap().strip_suffix(".rs")?.to_owned())
        })
        .filter(|name| name != "mod")
        .collect();
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names, "src/{folder} and its table differ");
}
