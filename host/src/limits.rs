//! Every limit of the host, its default and the reason of the default.
//!
//! A limit is declared once, below. The declaration makes the field, its default, its flag
//! (`--cpu-max 5s`), its key in host.toml (`cpu-max = "5s"`) and the text of `--help`.

mod define;
#[cfg(test)]
mod tests;
mod value;

pub use define::LimitsPatch;
pub use value::{LimitError, Size, Span};

use define::limits;

limits! {
    /// What one app may use; each request, instance or queue of the app is held to these.
    AppLimits, AppLimitsPatch, "Limits of each app" {
        /// CPU time that one request may spend in the guest, time in host calls left out.
        /// Ten seconds hash an upload of 1 GiB on a slow core.
        cpu_max: Span = Span::from_secs(10), from Span::from_millis(1);
        /// Wall time of one request, from the call of the guest to its return.
        /// Three times `cpu-max`, since a guest shares the cores with others.
        wall_max: Span = Span::from_secs(30), from Span::from_millis(1);
        /// Memory of one instance, all its memories and tables together.
        /// Enough for an interpreter with a framework; most apps touch a few MiB of it.
        memory_max: Size = Size::from_mib(256), from Size::from_kib(64);
        /// Size of one request body; a larger one is refused with 413.
        /// Large, since a body on disk costs no memory and `spool-max` bounds the disk.
        body_max: Size = Size::from_gib(2), from Size::ZERO;
        /// Part of a request body that is kept in memory; a longer body goes to a file.
        /// Forms and JSON fit, and a thousand of them take 64 MiB.
        body_memory_max: Size = Size::from_kib(64), from Size::ZERO;
        /// Requests of one app that run at the same time.
        /// One app leaves most of `instances-max` to the others.
        concurrency_max: u32 = 64, from 1;
        /// Requests of one app that wait for their turn; the next one is refused with 503.
        /// Four rounds of `concurrency-max`: who would wait longer had better come again.
        queue_max: u32 = 256, from 0;
        /// Time that a request waits for its turn before it is refused with 503.
        /// About as long as a person waits for a page.
        queue_wait_max: Span = Span::from_secs(10), from Span::ZERO;
        /// Wall time that a guest has to clean up and return once its client is gone.
        /// Closing files and a transaction is quick, anything else has nobody to serve.
        abandon_max: Span = Span::from_secs(1), from Span::ZERO;
        /// Headers of one response. No framework comes near.
        head_count_max: u32 = 128, from 1;
        /// Bytes of status and headers of one response.
        /// Proxies refuse far smaller heads, so a larger one is a mistake.
        head_size_max: Size = Size::from_kib(64), from Size::from_bytes(256);
        /// Bytes of a body that is returned in one piece.
        /// The host holds all of it until the client has taken it; larger ones are written in chunks.
        body_oneshot_max: Size = Size::from_mib(1), from Size::from_bytes(1);
        /// Bytes of one write.
        /// Past this size a larger chunk is no faster, and the host holds a few of them for each client.
        write_chunk_max: Size = Size::from_kib(256), from Size::from_bytes(1);
        /// Bytes that one call between host and guest may copy; a call over it traps.
        /// Well over every other limit, so that their clearer errors come first.
        hostcall_max: Size = Size::from_mib(16), from Size::from_kib(64);
        /// Handles (environ, input, files, streams) that one instance may hold.
        /// A guest that holds more leaks them.
        handles_max: u32 = 1000, from 16;
        /// Age at which an instance that serves several requests (`reuse`) is replaced.
        /// What leaks slowly is gone within the hour.
        reuse_age_max: Span = Span::from_secs(3600), from Span::ZERO;
        /// Memory over which an instance that serves several requests is replaced after the one it serves.
        /// Half of `memory-max`: room for the next request, and for an interpreter at its usual size.
        reuse_memory_max: Size = Size::from_mib(128), from Size::ZERO;
        /// Handles over which an instance that serves several requests is replaced after the one it serves.
        /// The libraries of a guest keep a dozen open; more are being leaked.
        reuse_handles_max: u32 = 100, from 0;
        /// Time that an instance rests between two requests, unless it is one of `warm-min`; then its memory is freed.
        /// As long as the pause in which the same visitor may come back.
        rest_max: Span = Span::from_secs(60), from Span::ZERO;
        /// Bytes that one request may write to the app's log; what is past it is counted and dropped.
        /// Room for a few backtraces, none for a flood.
        log_max: Size = Size::from_kib(64), from Size::ZERO;
        /// Bytes of one line in the app's log; a longer line is cut.
        /// Log collectors cut at 8 to 16 KiB themselves.
        log_line_max: Size = Size::from_kib(8), from Size::from_bytes(80);
    }
}

limits! {
    /// What the host may use, all apps and clients together, and what it grants to one connection.
    HostLimits, HostLimitsPatch, "Limits of the host" {
        /// Connections that are open at the same time; the next one waits in the listener's backlog.
        /// Fits the 1024 file descriptors that most services start with, spool files aside.
        connections_max: u32 = 1024, from 1;
        /// Requests that are being served at the same time, those of all connections and apps together, from
        /// their head to the end of their response; the next one is refused with 503.
        /// Four for each connection: an HTTP/2 client may send `streams-max` at once, but not all of them may.
        requests_max: u32 = 4096, from 1;
        /// Times that an app may have one request answered by another path of this host, as CGI programs can.
        /// What NGINX and Apache allow.
        redirects_max: u32 = 10, from 0;
        /// Instances that live at the same time, those of all apps together.
        /// Fifteen apps at their `concurrency-max`; address space is reserved for each.
        instances_max: u32 = 1000, from 1;
        /// Bytes of all request bodies that lie in the spool directory; a body over it is refused with 503.
        /// Two bodies of the largest size.
        spool_max: Size = Size::from_gib(4), from Size::ZERO;
        /// Bytes of a request line; a longer one is refused with 414. What NGINX and Gunicorn allow at most.
        request_line_max: Size = Size::from_kib(8), from Size::from_bytes(64);
        /// Headers of one request; more are refused with 431. What Gunicorn allows.
        header_count_max: u32 = 100, from 1;
        /// Bytes of all headers of one request; more are refused with 431.
        /// Room for several large cookies.
        header_size_max: Size = Size::from_kib(64), from Size::from_bytes(256);
        /// Time from the accept of a connection to its first byte.
        /// A client connects in order to send; browsers that connect in advance come back when cut off.
        first_byte_max: Span = Span::from_secs(10), from Span::from_millis(1);
        /// Time from the first byte of a request to the end of its headers.
        /// Headers fit a few packets, so more is a slow attack or a dead network.
        header_read_max: Span = Span::from_secs(10), from Span::from_millis(1);
        /// Time without any byte of a request body; then the request is refused with 408.
        /// A mobile client may lose its network for that long.
        body_idle_max: Span = Span::from_secs(30), from Span::from_millis(1);
        /// Time that a connection may rest between two requests.
        /// Longer than the 60 s after which proxies drop theirs, so that the proxy closes first.
        idle_max: Span = Span::from_secs(75), from Span::from_millis(1);
        /// Time in which a client takes no byte of a response; then the connection is dropped.
        /// As patient as with a body that comes in.
        send_idle_max: Span = Span::from_secs(30), from Span::from_millis(1);
        /// Streams of one HTTP/2 connection that are open at the same time.
        /// RFC 9113 section 6.5.2 asks for 100 or more.
        streams_max: u32 = 128, from 1;
        /// Size of a `.wasm` file.
        /// An interpreter with its libraries takes some 40 MiB.
        component_max: Size = Size::from_mib(256), from Size::from_bytes(8);
        /// Bytes of an app's bundle once it is unpacked.
        /// Templates and assets of a large site; what is larger is media, and belongs on a server of its own.
        bundle_max: Size = Size::from_mib(256), from Size::ZERO;
        /// Files and folders in an app's bundle.
        /// A framework with its translations and assets has some thousand.
        bundle_files_max: u32 = 20_000, from 0;
        /// Bytes of compiled code that is loaded, with what it takes besides; the apps that were called longest ago go
        /// first. A thousand small apps, or some interpreters; it takes 0.2 ms to load the one, 5 ms the other.
        code_max: Size = Size::from_mib(512), from Size::ZERO;
        /// Bytes of the compile cache, and as many again of unpacked bundles; what was not used for longest goes
        /// first. 0 keeps none that is not in use.
        cache_max: Size = Size::from_gib(8), from Size::ZERO;
        /// CPU time that compiling one component may take, all threads together.
        /// Far over the 11 s of wall time that an interpreter took to compile.
        compile_cpu_max: Span = Span::from_secs(300), from Span::from_secs(1);
        /// Wall time that compiling one component may take.
        /// As long as its CPU time: on one core they are the same.
        compile_wall_max: Span = Span::from_secs(300), from Span::from_secs(1);
        /// Memory of the process that compiles one component.
        /// The largest in use, an interpreter with its library, take half of it.
        compile_memory_max: Size = Size::from_gib(4), from Size::from_mib(256);
    }
}
