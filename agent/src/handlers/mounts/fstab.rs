//! /etc/fstab: lines of the user-data among those of the machine.

/// The mark of our lines.
pub(super) const COMMENT: &str = "comment=cloudconfig";

/// Characters that a field may not have as they are, and how they are written.
const ESCAPES: [(char, &str); 4] = [('\\', r"\134"), (' ', r"\040"), ('\t', r"\011"), ('\n', r"\012")];

/// A line to come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    /// Its device, or what stands for one.
    pub(super) device: String,
    point: Option<String>,
    others: [String; 4],
}

impl Line {
    /// A line of six fields; `None` if another than the mount point is missing.
    pub(super) fn new(fields: [Option<String>; 6]) -> Option<Self> {
        let [device, point, kind, options, dump, check] = fields;
        Some(Self { device: device?, point, others: [kind?, options?, dump?, check?] })
    }

    /// Where it is mounted; `None` for a line that takes others back.
    pub(super) fn point(&self) -> Option<&str> {
        self.point.as_deref()
    }

    pub(super) fn kind(&self) -> &str {
        let [kind, ..] = &self.others;
        kind
    }

    fn text(&self) -> String {
        let [kind, options, dump, check] = &self.others;
        let point = escaped(self.point().unwrap_or_default());
        format!("{}\t{point}\t{kind}\t{options},{COMMENT}\t{dump}\t{check}", escaped(&self.device))
    }
}

/// The file as it is.
pub(super) struct Fstab<'a> {
    text: &'a str,
}

impl<'a> Fstab<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        Self { text }
    }

    pub(super) fn text(&self) -> &str {
        self.text
    }

    /// True if a line of the machine's own has this device.
    pub(super) fn has_device(&self, device: &str) -> bool {
        let device = escaped(device);
        let own = self.text.lines().filter(|line| !line.contains(COMMENT));
        own.filter_map(|line| line.split_whitespace().next()).any(|field| field == device)
    }

    /// The file with these lines in the place of those that were ours; as it is where there are none to take their
    /// place.
    pub(super) fn with(&self, lines: Option<&[Line]>) -> String {
        let Some(lines) = lines else { return self.text.to_owned() };
        let own = self.text.lines().filter(|line| !line.contains(COMMENT)).map(str::to_owned);
        let mut text = String::new();
        for line in own.chain(lines.iter().map(Line::text)) {
            text.extend([line.as_str(), "\n"]);
        }
        text
    }
}

pub(super) fn escaped(field: &str) -> String {
    let mut text = String::new();
    for character in field.chars() {
        match ESCAPES.iter().find(|(own, _)| *own == character) {
            Some((_, escape)) => text.push_str(escape),
            None => text.push(character),
        }
    }
    text
}
