//! The value of a scalar whose type is known.

use super::value::Value;

/// The message when a text is not of its type.
type ScalarProblem = String;

pub(super) fn boolean(text: &str) -> Result<Value, ScalarProblem> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "on" => Ok(Value::Bool(true)),
        "no" | "false" | "off" => Ok(Value::Bool(false)),
        _ => Err(format!("`{text}` is neither yes nor no")),
    }
}

pub(super) fn int(text: &str) -> Result<Value, ScalarProblem> {
    let plain = text.replace('_', "");
    let (negative, digits) = split_sign(&plain);
    let number = if digits == "0" {
        Some(0)
    } else if let Some(digits) = digits.strip_prefix("0b") {
        i128::from_str_radix(digits, 2).ok()
    } else if let Some(digits) = digits.strip_prefix("0x") {
        i128::from_str_radix(digits, 16).ok()
    } else if let Some(digits) = digits.strip_prefix('0') {
        i128::from_str_radix(digits, 8).ok()
    } else {
        digits.split(':').try_fold(0_i128, |sum, group| {
            let group = group.parse::<i128>().ok()?;
            sum.checked_mul(60)?.checked_add(group)
        })
    };
    let number = number.ok_or_else(|| format!("`{text}` is no whole number of at most 127 bits"))?;
    Ok(Value::Int(if negative { -number } else { number }))
}

pub(super) fn float(text: &str) -> Result<Value, ScalarProblem> {
    let plain = text.replace('_', "").to_lowercase();
    let (negative, digits) = split_sign(&plain);
    let number = match digits {
        ".inf" => Some(f64::INFINITY),
        ".nan" => Some(f64::NAN),
        _ if digits.contains(':') => {
            // The ones come first, so that the sum is rounded as it is in Python.
            digits
                .rsplit(':')
                .try_fold((0.0, 1.0), |(sum, base), group| {
                    let group = group.parse::<f64>().ok()?;
                    Some((sum + group * base, base * 60.0))
                })
                .map(|(sum, _)| sum)
        }
        _ => digits.parse().ok(),
    };
    let number = number.ok_or_else(|| format!("`{text}` is no number"))?;
    Ok(Value::Float(if negative { -number } else { number }))
}

pub(super) fn binary(text: &str) -> Result<Value, ScalarProblem> {
    if !text.is_ascii() {
        return Err("decode base64: there are letters that are not of ASCII".into());
    }
    match crate::codec::base64(text.as_bytes()) {
        Ok(bytes) => Ok(Value::Binary(bytes)),
        Err(error) => Err(format!("{error:#}")),
    }
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}
