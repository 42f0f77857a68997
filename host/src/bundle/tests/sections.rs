//! Sections of a `.wasm`.

use super::super::*;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn bundle(text: &str) -> Bundle {
    Bundle::from_bytes(text.into())
}

/// A component with another in it, which has sections of our names.
fn nesting(inner: &[u8]) -> Vec<u8> {
    let mut outer = wasm_encoder::Component::new();
    let raw = wasm_encoder::RawSection { id: 4, data: inner };
    outer.section(&raw);
    outer.finish()
}

#[test]
fn what_is_appended_is_split_off_again() {
    let asks = Asks { env: vec!["KEY".into()], ..Asks::default() };
    let made = append(COMPONENT, Some(&bundle("files")), Some(&asks)).unwrap();
    let parts = cut_off(made.clone()).unwrap();
    assert_eq!(parts.component, COMPONENT);
    assert_eq!(parts.bundle.as_deref(), Some(&b"files"[..]));
    assert_eq!(Asks::parse(&parts.asks.unwrap()), Ok(asks));
    // Replaced, not added to.
    let again = cut_off(append(&made, Some(&bundle("others")), None).unwrap()).unwrap();
    assert_eq!((again.bundle.as_deref(), again.asks), (Some(&b"others"[..]), None));
    assert_eq!(append(&made, None, None).unwrap(), COMPONENT);
}

#[test]
fn a_program_brings_sections_along_too() {
    let module = b"\0asm\x01\0\0\0";
    let parts = cut_off(append(module, Some(&bundle("files")), None).unwrap()).unwrap();
    assert_eq!((&parts.component[..], parts.bundle.as_deref()), (&module[..], Some(&b"files"[..])));
}

#[test]
fn sections_between_others_are_found_and_those_of_nested_components_are_not() {
    let inner = append(COMPONENT, Some(&bundle("inner")), None).unwrap();
    let outer = nesting(&inner);
    assert_eq!(cut_off(outer.clone()).unwrap(), Parts { component: outer.clone(), ..Parts::default() });
    let with_one = append(&outer, Some(&bundle("outer")), None).unwrap();
    // Something else after it.
    let after = [&with_one[..], &nesting(COMPONENT)[8..]].concat();
    let parts = cut_off(after).unwrap();
    assert_eq!(parts.bundle.as_deref(), Some(&b"outer"[..]));
    assert_eq!(parts.component, [&outer[..], &nesting(COMPONENT)[8..]].concat());
}

#[test]
fn two_of_a_kind_are_refused() {
    let one = append(COMPONENT, Some(&bundle("a")), Some(&Asks::default())).unwrap();
    let two = [&one[..], &one[8..]].concat();
    assert_eq!(cut_off(two.clone()), Err(SectionError::Twice(BUNDLE_SECTION)));
    assert_eq!(append(&two, None, None).unwrap(), COMPONENT, "and can be mended");
}

#[test]
fn what_is_no_component_is_left_alone_and_not_added_to() {
    let damaged = [COMPONENT, &[0, 0xff]].concat();
    for junk in [&b""[..], b"\0asm", b"\0asm\x02\0\0\0", &damaged, &[COMPONENT, &[0, 0]].concat()] {
        assert_eq!(cut_off(junk.to_vec()).unwrap().component, junk);
    }
    assert_eq!(append(&damaged, Some(&bundle("a")), None), Err(SectionError::NotComponent));
    assert_eq!(append(b"\0asm\x02\0\0\0", None, None), Err(SectionError::NotComponent));
}
