//! From the host and the path of a request to the app that serves it, and to what of the path is
//! SCRIPT_NAME and what PATH_INFO (PEP 3333 rules 11 and 12).

mod pattern;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::native;

pub use pattern::{HostName, RouteError, RoutePattern};

/// The routes of all apps.
///
/// A route of the request's own host beats one of any host; among these the longest prefix wins.
/// Where no route of the host matches, those of any host are tried. A prefix matches whole
/// segments: `/app` matches `/app` and `/app/x`, not `/apple`.
#[derive(Debug, Clone)]
pub struct Router<T> {
    /// Sorted by host, so that one is found without a copy of it.
    hosts: Vec<(HostName, Node<T>)>,
    any_host: Node<T>,
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Match<'a, T> {
    /// What the route leads to.
    pub target: &'a T,
    /// The prefix that matched, decoded, as a native string: empty, or starts with `/` and does not
    /// end in it.
    pub script_name: String,
    /// The rest of the path, decoded, as a native string: empty, or starts with `/`.
    pub path_info: String,
}

/// One segment of the known prefixes, with the segments that may follow.
#[derive(Debug, Clone)]
struct Node<T> {
    target: Option<T>,
    /// Sorted by segment, which is a native string.
    children: Vec<(String, Node<T>)>,
}

// === impl Router ===

impl<T> Router<T> {
    /// A router of `routes`. Of two equal patterns the later one counts; a [`crate::config::Config`] has none.
    pub fn new(routes: impl IntoIterator<Item = (RoutePattern, T)>) -> Self {
        let mut router = Self { hosts: Vec::new(), any_host: Node::default() };
        for (RoutePattern { host, prefix }, target) in routes {
            let root = match host {
                Some(host) => entry(&mut router.hosts, host),
                None => &mut router.any_host,
            };
            segments(&prefix).fold(root, |node, segment| entry(&mut node.children, segment.to_owned())).target =
                Some(target);
        }
        router
    }

    /// The route of `path` at `host`, or none.
    ///
    /// `host` is that of the request, with its port if it has one; `path` is the raw path, percent
    /// escapes and all, without the query. What is no path (`*`, or nothing) has no route.
    pub fn route(&self, host: Option<&str>, path: &str) -> Option<Match<'_, T>> {
        if !path.starts_with('/') {
            return None;
        }
        let decoded: Cow<'_, [u8]> = percent_decode_str(path).into();
        let mut script_name = native::from_bytes(&decoded);
        let (target, end) = host
            .and_then(|host| self.of_host(host))
            .and_then(|node| node.find(&script_name))
            .or_else(|| self.any_host.find(&script_name))?;
        let path_info = script_name.split_off(end);
        Some(Match { target, script_name, path_info })
    }

    fn of_host(&self, host: &str) -> Option<&Node<T>> {
        let host = pattern::RequestHost::of(host)?;
        let index = self.hosts.binary_search_by(|(known, _)| host.order_of(known)).ok()?;
        Some(&self.hosts[index].1)
    }
}

// === impl Node ===

impl<T> Node<T> {
    /// The target of the longest prefix of `path`, and the length of that prefix.
    fn find(&self, path: &str) -> Option<(&T, usize)> {
        let mut found = self.target.as_ref().map(|target| (target, 0));
        let (mut node, mut end) = (self, 0);
        for segment in segments(path) {
            let Ok(index) = node.children.binary_search_by(|(known, _)| known.as_str().cmp(segment)) else { break };
            node = &node.children[index].1;
            end += "/".len() + segment.len();
            found = node.target.as_ref().map(|target| (target, end)).or(found);
        }
        found
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { target: None, children: Vec::new() }
    }
}

/// The segments of a path that is empty or starts with `/`.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').skip(1)
}

/// The node of `key` in a sorted list, made if it is missing.
fn entry<K: Ord, T>(list: &mut Vec<(K, Node<T>)>, key: K) -> &mut Node<T> {
    let index = match list.binary_search_by(|(known, _)| known.cmp(&key)) {
        Ok(index) => index,
        Err(index) => {
            list.insert(index, (key, Node::default()));
            index
        }
    };
    &mut list[index].1
}
