//! `"%s %02d" % (…)` and `"{} {name}".format(…)`.

use super::call::Given;
use super::value::Value;
use super::{Failure, Machine, round, show};

/// The form in which a value is written: `-08.3f` and the like.
#[derive(Default)]
struct Form {
    side: Side,
    sign: Option<char>,
    alternate: bool,
    fill: Option<char>,
    zero: bool,
    /// The separator of thousands.
    between: Option<char>,
    width: usize,
    precision: Option<usize>,
}

/// The kind of a number that is written as it is shown.
const AS_SHOWN: char = '\0';

/// Where the text stands in its width.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Side {
    Left,
    Center,
    #[default]
    Right,
}

/// `form % values`
pub(super) fn format(machine: &Machine, form: &str, values: &Value) -> Result<String, Failure> {
    let mut out = String::new();
    let mut rest = form;
    let mut next = match values {
        Value::Tuple(items) => items.items.borrow().clone(),
        single => vec![single.clone()],
    }
    .into_iter();
    let mut named = false;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        rest = after;
        let mut value = None;
        if let Some(inner) = rest.strip_prefix('(') {
            let (name, after) =
                inner.split_once(')').ok_or_else(|| Failure::new("a `)` is missing after `%(`"))?;
            let Value::Dict(dict) = values else {
                return Err(Failure::new("a mapping is needed for `%(name)s`"));
            };
            let found = dict.pairs.borrow().get(name).cloned();
            value = Some(found.ok_or_else(|| Failure::new(format!("there is no `{name}` for `%({name})`")))?);
            named = true;
            rest = after;
        }
        let mut taken = || next.next().ok_or_else(|| Failure::new("not enough values for the form"));
        let mut form = Form::default();
        while let Some(flag) = rest.chars().next().filter(|flag| "-+ #0".contains(*flag)) {
            match flag {
                '-' => form.side = Side::Left,
                '#' => form.alternate = true,
                '0' => form.zero = true,
                '+' => form.sign = Some('+'),
                _ => form.sign = form.sign.or(Some(' ')),
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        if let Some(after) = rest.strip_prefix('*') {
            let width = machine.whole(&taken()?)?;
            if width < 0 {
                form.side = Side::Left;
            }
            form.width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
            rest = after;
        } else {
            form.width = digits(&mut rest).unwrap_or_default();
        }
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            form.precision = Some(digits(&mut rest).unwrap_or_default());
        }
        rest = rest.trim_start_matches(['h', 'l', 'L']);
        let kind = rest.chars().next().ok_or_else(|| Failure::new("the form ends after a `%`"))?;
        rest = rest.get(kind.len_utf8()..).unwrap_or_default();
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = match value {
            Some(value) => value,
            None => taken()?,
        };
        out.push_str(&form.write(machine, kind, &value, false)?);
        machine.pay_bytes(out.len() / 64)?;
    }
    out.push_str(rest);
    let dict = matches!(values, Value::Dict(_));
    if !named && !dict && next.next().is_some() {
        return Err(Failure::new("more values than the form takes"));
    }
    Ok(out)
}

/// `form.format(…)`
pub(super) fn braces(machine: &Machine, form: &str, given: &Given) -> Result<String, Failure> {
    let mut out = String::new();
    let mut rest = form;
    let mut automatic = 0;
    while let Some(place) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at_checked(place).unwrap_or((rest, ""));
        out.push_str(before);
        if let Some(after) = after.strip_prefix("{{").or_else(|| after.strip_prefix("}}")) {
            out.extend(after_brace(rest, place));
            rest = after;
            continue;
        }
        let lonely = || Failure::new("a single `{` or `}`");
        let (field, after) =
            after.strip_prefix('{').and_then(|after| after.split_once('}')).ok_or_else(lonely)?;
        rest = after;
        let (field, spec) = field.split_once(':').unwrap_or((field, ""));
        let (field, conversion) = field.split_once('!').unwrap_or((field, ""));
        let end = field.find(['.', '[']).unwrap_or(field.len());
        let (name, path) = field.split_at_checked(end).unwrap_or((field, ""));
        let place = if name.is_empty() {
            automatic += 1;
            Some(automatic - 1)
        } else {
            name.parse().ok()
        };
        let value = match place {
            Some(place) => given.positional.get(place),
            None => given.get(usize::MAX, name),
        };
        let mut value =
            value.cloned().ok_or_else(|| Failure::new(format!("there is no value for `{{{name}}}`")))?;
        for step in path.split(['.', '[']).skip(1) {
            value = match step.strip_suffix(']') {
                Some(index) => match index.parse() {
                    Ok(number) => machine.item(&value, &Value::Int(number))?,
                    Err(_) => machine.item(&value, &Value::str(index))?,
                },
                None => machine.attribute(&value, step)?,
            };
        }
        if conversion == "r" {
            machine.pay_shown(&value, 0)?;
            value = Value::str(value.repr());
        } else if conversion == "s" {
            value = Value::str(machine.text(&value)?);
        }
        out.push_str(&spec_form(machine, spec, &value)?);
        machine.pay_bytes(out.len() / 64)?;
    }
    out.push_str(rest);
    Ok(out)
}

fn after_brace(rest: &str, place: usize) -> Option<char> {
    rest.get(place..)?.chars().next()
}

/// `[[fill]align][sign][#][0][width][,|_][.precision][type]`
fn spec_form(machine: &Machine, spec: &str, value: &Value) -> Result<String, Failure> {
    if spec.is_empty() {
        return machine.text(value);
    }
    let mut form = Form::default();
    let mut rest = spec;
    let mut characters = spec.chars();
    let (first, second) = (characters.next(), characters.next());
    let aligns = |character: Option<char>| character.filter(|character| "<>^=".contains(*character));
    let mut align = None;
    if let Some(found) = aligns(second) {
        form.fill = first;
        align = Some(found);
        rest = characters.as_str();
    } else if let Some(found) = aligns(first) {
        align = Some(found);
        rest = rest.get(1..).unwrap_or_default();
    }
    if let Some(sign) = rest.chars().next().filter(|sign| "+- ".contains(*sign)) {
        form.sign = Some(sign).filter(|sign| *sign != '-');
        rest = rest.get(1..).unwrap_or_default();
    }
    if let Some(after) = rest.strip_prefix('#') {
        form.alternate = true;
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('0') {
        form.zero = align.is_none();
        rest = after;
    }
    form.width = digits(&mut rest).unwrap_or_default();
    if let Some(between) = rest.chars().next().filter(|between| ",_".contains(*between)) {
        form.between = Some(between);
        rest = rest.get(1..).unwrap_or_default();
    }
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        form.precision = Some(digits(&mut rest).unwrap_or_default());
    }
    let number = value.as_float().is_some();
    let default = match value {
        Value::Int(_) | Value::Bool(_) => 'd',
        Value::Float(_) if form.precision.is_some() => 'g',
        Value::Float(_) => AS_SHOWN,
        _ => 's',
    };
    form.side = match align {
        Some('^') => Side::Center,
        Some('<') => Side::Left,
        None if !number => Side::Left,
        _ => Side::Right,
    };
    let kind = rest.chars().next().unwrap_or(default);
    if kind == '%' {
        let percent = value.as_float().ok_or_else(|| Failure::new("a number is needed"))? * 100.0;
        let digits = form.precision.unwrap_or(6).min(300);
        return form.padded(machine, "", format!("{percent:.digits$}%"));
    }
    form.write(machine, kind, value, true)
}

impl Form {
    fn write(&self, machine: &Machine, kind: char, value: &Value, exact: bool) -> Result<String, Failure> {
        let digits = self.precision.unwrap_or(6).min(300);
        let number = || {
            value
                .as_float()
                .ok_or_else(|| Failure::new(format!("`%{kind}` needs a number, not {}", value.type_name())))
        };
        let body = match kind {
            's' | 'r' | 'a' => {
                let text = if kind == 's' { machine.text(value)? } else { value.repr() };
                let text = match self.precision {
                    Some(length) => text.chars().take(length).collect(),
                    None => text,
                };
                return self.padded(machine, "", text);
            }
            'c' => {
                let text = match value.as_int() {
                    Some(code) => u32::try_from(code).ok().and_then(char::from_u32).map(String::from),
                    None => Some(machine.text(value)?).filter(|text| text.chars().count() == 1),
                };
                return self.padded(
                    machine,
                    "",
                    text.ok_or_else(|| Failure::new("`%c` needs one character"))?,
                );
            }
            'd' | 'i' | 'u' | 'x' | 'X' | 'o' | 'b' => {
                let whole = match value {
                    Value::Float(number) if !exact && "diu".contains(kind) => round::to_int(*number),
                    other => other.as_int(),
                };
                let whole = whole.ok_or_else(|| {
                    Failure::new(format!("`%{kind}` needs a whole number, not {}", value.type_name()))
                })?;
                let (prefix, digits) = match kind {
                    'x' => ("0x", format!("{:x}", whole.unsigned_abs())),
                    'X' => ("0X", format!("{:X}", whole.unsigned_abs())),
                    'o' => ("0o", format!("{:o}", whole.unsigned_abs())),
                    'b' => ("0b", format!("{:b}", whole.unsigned_abs())),
                    _ => ("", whole.unsigned_abs().to_string()),
                };
                let zeros = self.precision.unwrap_or_default().saturating_sub(digits.len());
                machine.pay_bytes(zeros)?;
                let prefix = if self.alternate { prefix } else { "" };
                let digits =
                    self.between.map_or_else(|| digits.clone(), |between| thousands(&digits, between));
                return self.signed(machine, whole < 0, prefix, "0".repeat(zeros) + &digits);
            }
            AS_SHOWN => show::float(number()?.abs()),
            'f' | 'F' => format!("{:.digits$}", number()?.abs()),
            'e' | 'E' => exponent(number()?.abs(), digits),
            'g' | 'G' => general(number()?.abs(), digits.max(1), self.alternate),
            _ => return Err(Failure::new(format!("there is no form `%{kind}`"))),
        };
        let number = number()?;
        let body = if number.is_finite() { body } else { show::float(number.abs()) };
        let body = self.between.map_or_else(|| body.clone(), |between| thousands(&body, between));
        let body = if kind.is_uppercase() { body.to_uppercase() } else { body };
        self.signed(machine, number.is_sign_negative() && !number.is_nan(), "", body)
    }

    fn signed(
        &self,
        machine: &Machine,
        negative: bool,
        prefix: &str,
        digits: String,
    ) -> Result<String, Failure> {
        let sign = if negative { "-".to_owned() } else { self.sign.map(String::from).unwrap_or_default() };
        self.padded(machine, &(sign + prefix), digits)
    }

    fn padded(&self, machine: &Machine, before: &str, text: String) -> Result<String, Failure> {
        let blanks = self.width.saturating_sub(before.chars().count() + text.chars().count());
        machine.pay_bytes(blanks)?;
        let fill = |count: usize| self.fill.unwrap_or(' ').to_string().repeat(count);
        Ok(match self.side {
            Side::Left => format!("{before}{text}{}", fill(blanks)),
            Side::Center => format!("{}{before}{text}{}", fill(blanks / 2), fill(blanks - blanks / 2)),
            Side::Right if self.zero => format!("{before}{}{text}", "0".repeat(blanks)),
            Side::Right => format!("{}{before}{text}", fill(blanks)),
        })
    }
}

fn digits(rest: &mut &str) -> Option<usize> {
    let after = rest.trim_start_matches(|character: char| character.is_ascii_digit());
    let number = rest.get(..rest.len() - after.len())?.parse().ok();
    *rest = after;
    number
}

fn thousands(number: &str, between: char) -> String {
    let (whole, rest) =
        number.split_at_checked(number.find('.').unwrap_or(number.len())).unwrap_or((number, ""));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(between);
        }
        out.push(digit);
    }
    out + rest
}

fn exponent(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
    format!("{digits}e{sign}{power:0>2}")
}

/// Writes a number with so many significant digits, without zeros at the end.
fn general(number: f64, digits: usize, keep: bool) -> String {
    let scientific = exponent(number, digits - 1);
    let power: i32 = scientific.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or_default();
    let limit = i32::try_from(digits).unwrap_or(i32::MAX);
    let trimmed = |text: &str| {
        if keep || !text.contains('.') {
            text.to_owned()
        } else {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    };
    if (-4..limit).contains(&power) {
        let places = usize::try_from(limit - 1 - power).unwrap_or_default();
        return trimmed(&format!("{number:.places$}"));
    }
    match scientific.split_once('e') {
        Some((digits, power)) => format!("{}e{power}", trimmed(digits)),
        None => scientific,
    }
}
