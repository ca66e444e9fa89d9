//! What is known of each FID: needed by a trade or a book, in the documents only, or in neither.

/// FIDs that are remembered.
pub const SLOTS: usize = 57;

/// What is known of a FID.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// In no document.
    Unknown,
    /// In the field list of 0B (43 FIDs) or 0D (163), and not needed.
    Documented,
    /// Remembered in this slot.
    Slot(u8),
}

/// By FID: a look-up costs one load, for 163 FIDs a book.
static PLACES: [Place; 10_000] = places();

const fn places() -> [Place; 10_000] {
    let mut places = [Place::Unknown; 10_000];
    let mut fid = 0;
    while fid < places.len() {
        places[fid] = match fid {
            10 => Place::Slot(0),
            13 => Place::Slot(1),
            14 => Place::Slot(2),
            15 => Place::Slot(3),
            20 => Place::Slot(4),
            21 => Place::Slot(5),
            23 => Place::Slot(6),
            24 => Place::Slot(7),
            27 => Place::Slot(8),
            28 => Place::Slot(9),
            121 => Place::Slot(50),
            125 => Place::Slot(51),
            215 => Place::Slot(52),
            290 => Place::Slot(53),
            291 => Place::Slot(54),
            292 => Place::Slot(55),
            9081 => Place::Slot(56),
            11 | 12 | 16..=18 | 25 | 26 | 29..=32 | 81..=100 | 122 | 126 | 128 | 129 | 138 | 139 => {
                Place::Documented
            }
            200 | 201 | 216 | 228 | 238 | 293..=295 | 299 | 311 | 567 | 568 | 620..=640 | 691 | 732 => {
                Place::Documented
            }
            851 | 852 | 1030..=1032 | 1071 | 1072 | 1313..=1316 | 1497 | 1498 | 1890..=1892 => {
                Place::Documented
            }
            6044..=6087 | 6100..=6115 => Place::Documented,
            _ => Place::Unknown,
        };
        fid += 1;
    }
    // Prices and quantities of ten levels a side.
    let mut level = 0;
    while level < 40 {
        places[41 + level as usize] = Place::Slot(10 + level);
        level += 1;
    }
    places
}

/// What is known of a FID.
pub fn place(fid: u16) -> Place {
    PLACES.get(usize::from(fid)).copied().unwrap_or(Place::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_belongs_to_one_fid() {
        let slots = |fid| if let Place::Slot(slot) = place(fid) { Some(usize::from(slot)) } else { None };
        let mut used: Vec<_> = (0..=u16::MAX).filter_map(slots).collect();
        used.sort_unstable();
        assert_eq!(used, (0..SLOTS).collect::<Vec<_>>());
    }

    #[test]
    fn every_fid_of_the_documents_is_known() {
        for line in [
            include_str!("../../../fixtures/kiwoom/0b_official.txt"),
            include_str!("../../../fixtures/kiwoom/0d_official.txt"),
        ] {
            let frame: serde_json::Value = serde_json::from_str(line).expect("frame");
            for fid in frame["data"][0]["values"].as_object().expect("values").keys() {
                assert!(!matches!(place(fid.parse().expect("fid")), Place::Unknown), "{fid}");
            }
        }
        for fid in [0, 1, 22, 101, 127, 296, 6043, 6088, 9080, 9082, 65_535] {
            assert!(matches!(place(fid), Place::Unknown), "{fid}");
        }
    }
}
