//! One row of a REAL frame: its type, its item, and the texts of the FIDs that trades and books need.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::place::{Place, SLOTS, place};
use crate::kiwoom::kind::{Kind, UNKNOWN};

/// A row, borrowed from its frame. [`Row::text`] reads a FID.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// What it is.
    pub kind: Kind,
    /// The code it was registered with, suffix included.
    pub item: Cow<'a, str>,
    /// FIDs in it, whether remembered or not.
    pub width: usize,
    /// FIDs that no document has.
    pub unknown: usize,
    /// What was tolerated: words for a counter.
    pub tolerated: Option<&'static str>,
    /// The row as it came.
    pub raw: &'a str,
    texts: [Text<'a>; SLOTS],
    /// A FID that stands there twice, with two values.
    twice: Option<u16>,
}

/// A text of a FID, borrowed unless it holds escapes.
#[derive(Debug, Clone, Default, PartialEq)]
enum Text<'a> {
    #[default]
    Missing,
    Some(Cow<'a, str>),
    /// JSON that is neither text nor a whole number.
    Unusable,
}

impl<'a> Row<'a> {
    /// Reads a row.
    ///
    /// # Errors
    /// What is wrong, when it is no object, lacks a type, or says one thing twice with two values.
    pub fn read(raw: &'a RawValue) -> Result<Self, String> {
        let mut row = Self {
            kind: UNKNOWN,
            item: Cow::Borrowed(""),
            width: 0,
            unknown: 0,
            tolerated: None,
            raw: raw.get(),
            texts: [const { Text::Missing }; SLOTS],
            twice: None,
        };
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        let head = Head { row: &mut row }
            .deserialize(&mut deserializer)
            .map_err(|problem| format!("row cannot be read: {problem}"))?;
        row.kind = Kind::of(head.kind.ok_or("row without a type")?.as_ref());
        row.item = head.item.unwrap_or_default();
        if let Some(fid) = row.twice {
            return Err(format!("FID {fid} stands there twice, with two values"));
        }
        Ok(row)
    }

    /// The text of a FID without spaces around it; none when it is absent or empty.
    ///
    /// # Errors
    /// [`NoText`], when it is neither text nor a whole number.
    pub fn text(&self, fid: u16) -> Result<Option<&str>, NoText> {
        let Place::Slot(slot) = place(fid) else { return Ok(None) };
        match &self.texts[usize::from(slot)] {
            Text::Missing => Ok(None),
            Text::Unusable => Err(NoText),
            Text::Some(text) => Ok(Some(text.trim_matches(' ')).filter(|text| !text.is_empty())),
        }
    }

    fn put(&mut self, slot: u8, fid: u16, text: Text<'a>) {
        let place = &mut self.texts[usize::from(slot)];
        if *place == Text::Missing {
            *place = text;
        } else if *place != text {
            self.twice = Some(fid);
        }
    }

    /// Takes the value of a FID from `map`.
    fn take<A: MapAccess<'a>>(&mut self, fid: u16, map: &mut A) -> Result<(), A::Error> {
        self.width += 1;
        match place(fid) {
            Place::Slot(slot) => {
                let text = map.next_value_seed(TextSeed)?;
                self.put(slot, fid, text);
                return Ok(());
            }
            Place::Documented => {}
            Place::Unknown => self.unknown += 1,
        }
        map.next_value::<IgnoredAny>().map(drop)
    }
}

/// A FID holds something that is neither text nor a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither text nor a whole number")]
pub struct NoText;

struct TextSeed;

impl<'a> DeserializeSeed<'a> for TextSeed {
    type Value = Text<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Text<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for TextSeed {
    type Value = Text<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text of a FID")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Text<'a>, E> {
        Ok(Text::Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'a>, E> {
        Ok(Text::Some(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text<'a>, E> {
        Ok(Text::Some(Cow::Owned(number.to_string())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text<'a>, E> {
        Ok(Text::Some(Cow::Owned(number.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Text<'a>, E> {
        Ok(Text::Missing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text<'a>, E> {
        Ok(Text::Unusable)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, list: A) -> Result<Text<'a>, A::Error> {
        IgnoredAny.visit_seq(list).map(|_| Text::Unusable)
    }

    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<Text<'a>, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Text::Unusable)
    }
}

/// A key of a row or of its values.
enum Key {
    Kind,
    Item,
    Values,
    Fid(u16),
    Other,
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<Key, E> {
        Ok(match text {
            "type" => Key::Kind,
            "item" => Key::Item,
            "values" => Key::Values,
            text => fid(text).map_or(Key::Other, Key::Fid),
        })
    }
}

/// A FID has one spelling: `010` is not 10.
fn fid(text: &str) -> Option<u16> {
    let digits = text.as_bytes();
    if digits.len() > 4 || digits.first() == Some(&b'0') || digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0, |fid, digit| digit.is_ascii_digit().then(|| fid * 10 + u16::from(digit - b'0')))
}

/// Type and item of a row; `row` takes the rest.
struct Head<'r, 'a> {
    row: &'r mut Row<'a>,
}

struct Named<'a> {
    kind: Option<Cow<'a, str>>,
    item: Option<Cow<'a, str>>,
}

impl<'a> DeserializeSeed<'a> for Head<'_, 'a> {
    type Value = Named<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Named<'a>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Head<'_, 'a> {
    type Value = Named<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Named<'a>, A::Error> {
        let mut named = Named { kind: None, item: None };
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match key {
                Key::Kind => name(&mut named.kind, map.next_value_seed(TextSeed)?)?,
                Key::Item => name(&mut named.item, map.next_value_seed(TextSeed)?)?,
                Key::Values => map.next_value_seed(Values { row: &mut *self.row })?,
                Key::Fid(fid) => {
                    self.row.tolerated = Some("fields_in_row");
                    self.row.take(fid, &mut map)?;
                }
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(named)
    }
}

fn name<'a, E: serde::de::Error>(place: &mut Option<Cow<'a, str>>, text: Text<'a>) -> Result<(), E> {
    let text = match text {
        Text::Missing => Cow::Borrowed(""),
        Text::Some(text) => text,
        Text::Unusable => return Err(E::custom("type or item is no text")),
    };
    if place.as_ref().is_some_and(|before| *before != text) {
        return Err(E::custom("type or item stands there twice"));
    }
    *place = Some(text);
    Ok(())
}

/// The FIDs of a row.
struct Values<'r, 'a> {
    row: &'r mut Row<'a>,
}

impl<'a> DeserializeSeed<'a> for Values<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Values<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values by FID")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match key {
                Key::Fid(fid) => self.row.take(fid, &mut map)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        self.row.tolerated = Some("values_list");
        while list.next_element_seed(Values { row: &mut *self.row })?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
