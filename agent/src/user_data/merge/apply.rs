//! Merging itself. The names are those of the settings, so that the rules can be held against the manual.

use super::{Merger, Mergers, Method, Recurse};
use crate::yaml::Value;
use anyhow::{Result, bail};

impl Mergers {
    /// Checks that two values can be merged at all.
    ///
    /// Said beforehand, for what has been merged halfway is not to be had back without a copy.
    pub(crate) fn check(&self, below: &Value, above: &Value) -> Result<()> {
        match (self.of(below), below, above) {
            (Some(Merger::Dict { replace, recurse, allow_delete }), Value::Map(below), Value::Map(above)) => {
                above.iter().try_for_each(|(key, value)| match below.get_key(key) {
                    Some(_) if allow_delete && *value == Value::Null => Ok(()),
                    Some(old) if !replace && recurse.into(value) => self.check(old, value),
                    _ => Ok(()),
                })
            }
            (Some(Merger::List { method, recurse }), Value::Seq(below), above) => match (method, above) {
                (Method::Replace | Method::NoReplace, Value::Seq(above)) => {
                    let recursed = below.iter().zip(above).filter(|(_, new)| recurse.into(new));
                    match method {
                        Method::Replace => {
                            recursed.into_iter().try_for_each(|(old, new)| self.check(old, new))
                        }
                        _ => Ok(()),
                    }
                }
                (Method::Replace, _) | (_, Value::Seq(_)) => Ok(()),
                _ => bail!("merge {} into a list: only a list can be", above.kind()),
            },
            (Some(Merger::Str { append: true }), Value::Str(_), above) if above.as_str().is_none() => {
                bail!("append {} to a text: only a text can be", above.kind())
            }
            _ => Ok(()),
        }
    }

    /// Merges `above` into `below`.
    pub(crate) fn merge(&self, below: Value, above: Value) -> Value {
        match (self.of(&below), below, above) {
            (
                Some(Merger::Dict { replace, recurse, allow_delete }),
                Value::Map(mut below),
                Value::Map(above),
            ) => {
                for (key, value) in above {
                    let Some(old) = below.get_mut(&key) else {
                        below.insert(key, value);
                        continue;
                    };
                    if allow_delete && value == Value::Null {
                        below.remove(&key);
                    } else if replace {
                        *old = value;
                    } else if recurse.into(&value) {
                        *old = self.merge(std::mem::replace(old, Value::Null), value);
                    }
                }
                Value::Map(below)
            }
            (Some(Merger::List { method, recurse }), Value::Seq(mut below), Value::Seq(mut above)) => {
                match method {
                    Method::Append => below.append(&mut above),
                    Method::Prepend => {
                        above.append(&mut below);
                        below = above;
                    }
                    Method::NoReplace => {}
                    Method::Replace => {
                        for (old, new) in below.iter_mut().zip(above) {
                            *old = if recurse.into(&new) {
                                self.merge(std::mem::replace(old, Value::Null), new)
                            } else {
                                new
                            };
                        }
                    }
                }
                Value::Seq(below)
            }
            (Some(Merger::Str { append: true }), Value::Str(mut below), Value::Str(above)) => {
                below.push_str(&above);
                Value::Str(below)
            }
            (Some(Merger::List { method: Method::Replace, .. }), Value::Seq(_), above)
            | (Some(Merger::Str { append: false }), Value::Str(_), above) => above,
            // There is no merger for the type, or what comes is no mapping.
            (_, below, _) => below,
        }
    }

    /// The merger for what is there.
    fn of(&self, below: &Value) -> Option<Merger> {
        self.0.iter().copied().find(|merger| {
            matches!(
                (merger, below),
                (Merger::Dict { .. }, Value::Map(_))
                    | (Merger::List { .. }, Value::Seq(_))
                    | (Merger::Str { .. }, Value::Str(_))
            )
        })
    }
}

impl Recurse {
    fn into(self, new: &Value) -> bool {
        match new {
            Value::Map(_) => self.dict,
            Value::Seq(_) => self.list,
            Value::Str(_) => self.str,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn check(how: &str, below: &str, above: &str, expected: &str) {
        let (below, above) = (yaml::load(below).unwrap(), yaml::load(above).unwrap());
        let mergers = Mergers::of_text(how).unwrap().or_default();
        mergers.check(&below, &above).unwrap();
        assert_eq!(mergers.merge(below, above), yaml::load(expected).unwrap(), "{how}");
    }

    #[test]
    fn by_default_a_later_key_replaces_the_whole_value() {
        check(
            "",
            "{a: [1], d: {x: 1}, k: 1}",
            "{a: [2], d: {y: 2}, n: ~}",
            "{a: [2], d: {y: 2}, k: 1, n: ~}",
        );
        check("dict()", "{a: [1], d: {x: 1}}", "{a: [2], d: {x: 2, y: 2}}", "{a: [1], d: {x: 1, y: 2}}");
    }

    #[test]
    fn lists_are_joined_at_either_end_or_place_by_place() {
        let all = "+dict(recurse_list)";
        check(&format!("list(append){all}"), "{l: [1]}", "{l: [2, 3]}", "{l: [1, 2, 3]}");
        check(&format!("list(prepend){all}"), "{l: [1]}", "{l: [2, 3]}", "{l: [2, 3, 1]}");
        check(&format!("list(){all}"), "{l: [1]}", "{l: [7, 8, 9]}", "{l: [7]}");
        check(&format!("list(){all}"), "{l: [1, 2, 3]}", "{l: [9]}", "{l: [9, 2, 3]}");
        check(&format!("list(no_replace){all}"), "{l: [1]}", "{l: [9]}", "{l: [1]}");
        check(&format!("list(replace,append){all}"), "{l: [1]}", "{l: [9]}", "{l: [1, 9]}");
        check("list(append)+dict()", "{l: [1]}", "{l: [9]}", "{l: [1]}");
    }

    #[test]
    fn recursion_goes_where_it_is_asked_to_go() {
        let how = "dict(recurse_list,recurse_str)+list(recurse_dict,recurse_str)+str(append)";
        check(
            how,
            "{u: [{n: a, g: [x]}, b], s: p}",
            "{u: [{n: c, g: [y]}, d], s: q}",
            "{u: [{n: ac, g: [xy]}, bd], s: pq}",
        );
        let how = "dict(recurse_list)+list(recurse_str)+str(append)";
        check(how, "{u: [{n: a}, b], s: p}", "{u: [{n: c}, d], s: q}", "{u: [{n: c}, bd], s: p}");
    }

    #[test]
    fn a_key_is_deleted_by_nothing_only_where_that_is_allowed() {
        check("dict(allow_delete)", "{a: 1, b: 2}", "{a: ~, c: ~}", "{b: 2, c: ~}");
        check("dict(replace,allow_delete)", "{a: 1, b: 2}", "{a: ~}", "{b: 2}");
        check("dict()", "{a: 1, b: 2}", "{a: ~}", "{a: 1, b: 2}");
    }

    #[test]
    fn without_a_merger_for_mappings_nothing_comes_in() {
        check("list(append)", "{l: [1]}", "{l: [2], n: 1}", "{l: [1]}");
        check("list(append)", "{}", "{n: 1}", "{}");
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (how, below, above) in [
            ("dict(recurse_list,recurse_str)+str(append)", "{a: x}", "{a: [y]}"),
            ("dict(recurse_str)+list(append)", "{a: [x]}", "{a: y}"),
            ("dict()+list(append)", "{a: [x]}", "{a: {y: z}}"),
            ("dict(recurse_list)+list(recurse_list)+str(append)", "{a: [x]}", "{a: [[y]]}"),
        ] {
            let (below, above) = (yaml::load(below).unwrap(), yaml::load(above).unwrap());
            let mergers = Mergers::of_text(how).unwrap();
            assert!(mergers.check(&below, &above).is_err(), "{how}");
        }
    }
}
