//! The attributes of `wasgi-guest`; use them through that crate.
//!
//! They keep the function as it is and add an unnamed constant, in which it is exported. Finding a function's name needs
//! no parser of Rust, so there is none: a guest's build does not wait for one.

use proc_macro::{Delimiter, Ident, TokenStream, TokenTree};

/// Exports a function as the application: called once for each request.
///
/// The function takes an `Environ` and a `StartResponse` and returns anything that is an `Answer`:
/// a `Body`, text, bytes, nothing, or a `Result` of one of these.
#[proc_macro_attribute]
pub fn application(arguments: TokenStream, item: TokenStream) -> TokenStream {
    export("application", &arguments, item)
}

/// Exports a function that prepares the application once, at deployment.
///
/// The function takes nothing and returns nothing, or a `Result<(), E>` whose error refuses the deployment.
#[proc_macro_attribute]
pub fn initialize(arguments: TokenStream, item: TokenStream) -> TokenStream {
    export("initialize", &arguments, item)
}

fn export(attribute: &str, arguments: &TokenStream, item: TokenStream) -> TokenStream {
    if !arguments.is_empty() {
        return error(&format!("#[wasgi_guest::{attribute}] takes no arguments"), item);
    }
    let Some(name) = function_name(&item) else {
        return error(&format!("#[wasgi_guest::{attribute}] belongs on a function"), item);
    };
    let added = format!(
        "#[allow(unsafe_code, reason = \"exports of the component model are unsafe attributes\")]
        const _: () = {{
            ::wasgi_guest::__export_{attribute}!({name});
        }};"
    );
    extend(item, &added)
}

/// The identifier behind the first `fn` that is not inside brackets.
fn function_name(item: &TokenStream) -> Option<Ident> {
    let mut tokens = item.clone().into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word.to_string() == "fn" => {
                return match tokens.next() {
                    Some(TokenTree::Ident(name)) => Some(name),
                    _ => None,
                };
            }
            // The body of something that is no function, such as a module.
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return None,
            _ => {}
        }
    }
    None
}

/// The item stays, so that the one error is not followed by others about a missing function.
fn error(message: &str, item: TokenStream) -> TokenStream {
    extend(item, &format!("::core::compile_error!({message:?});"))
}

fn extend(mut item: TokenStream, source: &str) -> TokenStream {
    match source.parse::<TokenStream>() {
        Ok(added) => {
            item.extend(added);
            item
        }
        // Only if a name were no identifier, which the compiler has checked before us.
        Err(_) => item,
    }
}
