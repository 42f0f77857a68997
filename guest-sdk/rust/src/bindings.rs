//! What `wit-bindgen` makes of the WIT, and the macros that export from the guest's own crate.

/// The world `app`: the imports, and the export `application`.
#[expect(missing_docs, reason = "generated from the WIT, which documents every item")]
pub mod app {
    wit_bindgen::generate!({
        world: "wasgi:gateway/app",
        path: "../../wit",
        pub_export_macro: true,
        export_macro_name: "export_application_bindings",
        default_bindings_module: "::wasgi_guest::__internal::app",
    });
}

/// The export `initialize` alone. A component is of all the worlds that its parts are of, so this and
/// `app` together are the world `snapshot-app`, and a guest without it is of `app` only.
#[expect(missing_docs, reason = "generated from the WIT, which documents every item")]
pub mod initializer {
    wit_bindgen::generate!({
        inline: "
            package wasgi:guest-sdk;
            world initializer { export initialize: func() -> result<_, string>; }
        ",
        pub_export_macro: true,
        export_macro_name: "export_initialize_bindings",
        default_bindings_module: "::wasgi_guest::__internal::initializer",
    });
}
