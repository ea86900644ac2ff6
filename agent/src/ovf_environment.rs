//! The properties in an OVF environment document. It understands elements, attributes, the five entities and comments,
//! which is all of XML that the format uses. There is no document type, and so no entity that grows.

use anyhow::{Context, Result, bail};

/// The element of a property.
const PROPERTY: &str = "Property";
/// The element around all.
const ENVIRONMENT: &str = "Environment";

/// The element of another machine of the same deployment, which has properties of its own.
const ENTITY: &str = "Entity";

/// The names for characters that XML uses itself.
const ENTITIES: &[(&str, char)] = &[("lt", '<'), ("gt", '>'), ("amp", '&'), ("quot", '"'), ("apos", '\'')];

/// The parts that are passed over: the beginning and the end of each.
const PASSED_OVER: &[(&str, &str)] = &[("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>")];

/// The keys and values of all properties, in their order. Faults of others are added to the problems. Prefixes of names
/// are not looked at.
pub(crate) fn properties(xml: &str, problems: &mut Vec<String>) -> Result<Vec<(String, String)>> {
    let mut properties = Vec::new();
    let (mut is_environment, mut is_others) = (false, false);
    let mut rest = xml;
    while let Some((_, after)) = rest.split_once('<') {
        if let Some((begin, end)) = PASSED_OVER.iter().find(|(begin, _)| after.starts_with(begin)) {
            let inner = after.strip_prefix(begin).unwrap_or_default();
            rest = inner.split_once(end).with_context(|| format!("`<{begin}` has no end"))?.1;
            continue;
        }
        if after.starts_with('!') {
            bail!("it has a document type, which an OVF environment does not");
        }
        let (tag, behind) = split_tag(after).context("a tag has no end")?;
        rest = behind;
        let end =
            tag.find(|character: char| character.is_whitespace() || character == '/').unwrap_or(tag.len());
        let (name, attributes) = tag.split_at_checked(end).unwrap_or((tag, ""));
        match local(name) {
            ENVIRONMENT => is_environment = true,
            // Such an element holds none of its kind.
            ENTITY => is_others = !tag.ends_with('/'),
            "" if local(tag.trim_start_matches('/').trim_end()) == ENTITY => is_others = false,
            PROPERTY if is_environment && !is_others => match property(attributes) {
                Ok(property) => properties.push(property),
                Err(error) => {
                    problems.push(format!("property {}: {error:#}", properties.len() + problems.len() + 1));
                }
            },
            _ => {}
        }
    }
    if !is_environment {
        bail!("it is no OVF environment");
    }
    Ok(properties)
}

fn property(attributes: &str) -> Result<(String, String)> {
    let (mut key, mut value) = (None, None);
    each_attribute(attributes, |name, text| match name {
        "key" => key = Some(text),
        "value" => value = Some(text),
        _ => {}
    })?;
    let key = key.context("it has no key")?.with_context(|| "its key cannot be read")?;
    let value =
        value.transpose().with_context(|| format!("{}: its value cannot be read", key.escape_debug()))?;
    Ok((key, value.unwrap_or_default()))
}

/// A tag's inside, and what follows it; a `>` in quotes does not end it.
fn split_tag(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (place, character) in text.char_indices() {
        match (quote, character) {
            (None, '>') => return Some((text.get(..place)?, text.get(place + 1..)?)),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
    }
    None
}

fn each_attribute(text: &str, mut take: impl FnMut(&str, Result<String>)) -> Result<()> {
    let mut rest = text.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let quote = after
            .chars()
            .next()
            .filter(|quote| "\"'".contains(*quote))
            .context("an attribute has no quotes")?;
        let inner = after.strip_prefix(quote).unwrap_or_default();
        let (value, behind) = inner.split_once(quote).context("an attribute has no end")?;
        take(local(name.trim()), resolved(value));
        rest = behind.trim_start();
    }
    Ok(())
}

/// A name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn resolved(text: &str) -> Result<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let (name, behind) = after.split_once(';').context("an `&` has no `;`")?;
        let number = name.strip_prefix('#').map(|digits| match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => digits.parse(),
        });
        let character = match number {
            Some(number) => number.ok().and_then(char::from_u32),
            None => ENTITIES.iter().find(|(entity, _)| *entity == name).map(|(_, character)| *character),
        };
        plain.push(character.with_context(|| format!("unknown entity `&{};`", name.escape_debug()))?);
        rest = behind;
    }
    plain.push_str(rest);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_whatever_their_prefix() {
        let xml = r#"<?xml version="1.0"?><!-- <Property key="no" value="x"/> -->
            <ns0:Environment xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1" oe:id=''>
              <PlatformSection><Kind>VMware &gt; ESXi</Kind></PlatformSection>
              <ns0:PropertySection>
                <ns0:Property ns0:key="a" ns0:value="1 &lt;&#x41;&#66;&amp;"/>
                <Property oe:value='>"' oe:key="b"></Property>
                <Property key = "c"/>
              </ns0:PropertySection><![CDATA[<Property key="no"/>]]>
            </ns0:Environment>"#;
        let expected = [("a", "1 <AB&"), ("b", ">\""), ("c", "")];
        let found = properties(xml, &mut Vec::new()).unwrap();
        let found: Vec<_> = found.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, expected);
    }

    /// The expected values follow cloud-init 26.2's `get_properties`, which looks at the environment's own section.
    #[test]
    fn the_properties_of_other_machines_are_theirs() {
        let other = "<PropertySection><Property oe:key='a' oe:value='other'/></PropertySection>";
        for entity in [
            format!("<Entity oe:id='vm2'>{other}</Entity>"),
            format!("<ovf:Entity oe:id='vm2'>{other}</ovf:Entity >"),
            format!("<Entity oe:id='vm2'>{other}</Entity><Entity/>"),
            "<Entity oe:id='vm2'/>".into(),
        ] {
            let own = "<PropertySection><Property oe:key='b' oe:value='own'/></PropertySection>";
            for xml in [format!("{entity}{own}"), format!("{own}{entity}")] {
                let xml = format!("<Environment>{xml}</Environment>");
                let found = properties(&xml, &mut Vec::new()).unwrap();
                assert_eq!(found, [("b".to_owned(), "own".to_owned())], "{xml}");
            }
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for xml in [
            "",
            "<a/>",
            "<Property key='a'/>",
            "<Environment",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><Environment/>",
            "<Environment><!-- ",
        ] {
            assert!(properties(xml, &mut Vec::new()).is_err(), "{xml}");
        }
    }

    /// In cloud-init 26.2 each of these costs all of them: `minidom` or `get_properties` raises.
    #[test]
    fn a_property_that_cannot_be_read_costs_only_itself() {
        for (property, problem) in [
            ("<Property/>", "it has no key"),
            ("<Property value='x'/>", "it has no key"),
            ("<Property key=a/>", "an attribute has no quotes"),
            ("<Property key='&x;'/>", "its key cannot be read: unknown entity `&x;`"),
            ("<Property key='&#xd800;'/>", "its key cannot be read: unknown entity `&#xd800;`"),
            ("<Property key='a' value='&nbsp;'/>", "a: its value cannot be read: unknown entity `&nbsp;`"),
            ("<Property key='a' value='b & c'/>", "a: its value cannot be read: an `&` has no `;`"),
        ] {
            let xml = format!("<Environment>{property}<Property key='b' value='1'/></Environment>");
            let mut problems = Vec::new();
            let found = properties(&xml, &mut problems).unwrap();
            assert_eq!(found, [("b".to_owned(), "1".to_owned())], "{property}");
            assert_eq!(problems, [format!("property 1: {problem}")], "{property}");
        }
    }

    #[test]
    fn wherever_it_is_cut_off_it_is_an_answer_or_an_error() {
        let xml = "<Environment a='é'><!-- é --><Property key='&#233;' value='>'/></Environment>";
        for (end, _) in xml.char_indices() {
            let cut = xml.get(..end).unwrap();
            assert!(properties(cut, &mut Vec::new()).map_or(0, |found| found.len()) <= 1, "{cut}");
        }
    }
}
