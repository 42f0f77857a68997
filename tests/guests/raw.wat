;; An application without a compiler's manners. Tests put their own parts in place of the lines that begin with
;; `;; $`, see tests/e2e/raw.rs. PATH_INFO is the number of the function to call, QUERY_STRING a number for it.
(component
  (import "wasgi:gateway/gateway@0.1.0" (instance $gateway
    (export "environ" (type $environ (sub resource)))
    (export "input" (type $input (sub resource)))
    (export "start-response" (type $start-response (sub resource)))
    (export "writer" (type $writer (sub resource)))
    (type $input-error-is (variant (case "taken") (case "closed") (case "too-large") (case "timed-out")))
    (export "input-error" (type $input-error (eq $input-error-is)))
    (type $start-error-is (variant
      (case "already-called") (case "head-sent") (case "bad-status" string) (case "bad-header" string)
      (case "too-large" string) (case "closed")))
    (export "start-error" (type $start-error (eq $start-error-is)))
    (type $write-error-is (variant
      (case "closed") (case "past-content-length") (case "no-body-allowed") (case "too-large" u64)))
    (export "write-error" (type $write-error (eq $write-error-is)))
    (type $file-range-is (record (field "path" string) (field "offset" u64) (field "length" (option u64))))
    (export "file-range" (type $file-range (eq $file-range-is)))
    (type $body-is (variant (case "bytes" (list u8)) (case "file" $file-range)))
    (export "body" (type $body (eq $body-is)))
    (export "[method]environ.get" (func
      (param "self" (borrow $environ)) (param "name" string) (result (option string))))
    (export "[method]environ.entries" (func
      (param "self" (borrow $environ)) (result (list (tuple string string)))))
    (export "[method]environ.input" (func
      (param "self" (borrow $environ)) (result (result (own $input) (error $input-error)))))
    (export "[method]input.read" (func
      (param "self" (borrow $input)) (param "max" u64) (result (result (list u8) (error $input-error)))))
    (export "[method]start-response.call" (func
      (param "self" (borrow $start-response)) (param "status" string)
      (param "headers" (list (tuple string string))) (param "exc-info" (option string))
      (result (result (own $writer) (error $start-error)))))
    (export "[method]writer.write" (func
      (param "self" (borrow $writer)) (param "chunk" (list u8)) (result (result (error $write-error)))))
    (export "write-errors" (func (param "text" string)))))
  (alias export $gateway "environ" (type $environ))
  (alias export $gateway "input" (type $input))
  (alias export $gateway "start-response" (type $start-response))
  (alias export $gateway "writer" (type $writer))
  (alias export $gateway "body" (type $body))
  (import "wasi:filesystem/types@0.2.0" (instance $filesystem
    (export "descriptor" (type (sub resource)))))
  (alias export $filesystem "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (export "descriptor" (type $directory (eq $descriptor)))
    (export "get-directories" (func (result (list (tuple (own $directory) string)))))))
  (import "wasi:cli/exit@0.2.0" (instance $exit
    (export "exit" (func (param "status" (result))))))
  (alias export $gateway "[method]environ.get" (func $get))
  (alias export $gateway "[method]environ.entries" (func $entries))
  (alias export $gateway "[method]environ.input" (func $take))
  (alias export $gateway "[method]input.read" (func $read))
  (alias export $gateway "[method]start-response.call" (func $call))
  (alias export $gateway "[method]writer.write" (func $write))
  (alias export $gateway "write-errors" (func $errors))
  (alias export $preopens "get-directories" (func $directories))
  (alias export $exit "exit" (func $exit))
  ;; $component

  (core module $memory (memory (export "memory") 2))
  (core instance $memory (instantiate $memory))
  (core func $errors (canon lower (func $errors) (memory (core memory $memory "memory"))))
  (core func $exit (canon lower (func $exit)))
  (core func $drop-environ (canon resource.drop $environ))
  (core func $drop-input (canon resource.drop $input))
  (core func $drop-start-response (canon resource.drop $start-response))
  (core func $drop-writer (canon resource.drop $writer))
  (core func $drop-descriptor (canon resource.drop $descriptor))

  ;; What the host calls to place its results, and once it has read those of the guest.
  (core module $realloc
    (import "memory" "memory" (memory 1))
    (import "host" "errors" (func $errors (param i32 i32)))
    (import "host" "drop-environ" (func $drop-environ (param i32)))
    ;; The next free byte; never taken back, unless a function does so.
    (global $next (export "next") (mut i32) (i32.const 16384))
    ;; How `realloc` and `post-return` behave; 0 is properly.
    (global $mode (export "mode") (mut i32) (i32.const 0))
    (global $after (export "after") (mut i32) (i32.const 0))
    ;; A live handle for `realloc` to drop.
    (global $environ (export "environ") (mut i32) (i32.const 0))
    (func $honest (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
    (func $recurse (param $depth i32) (result i32)
      (i32.add (call $recurse (i32.add (local.get $depth) (i32.const 1))) (local.get $depth)))
    (func $grow
      (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))))
    (func (export "realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
      (block $grows (block $recurses (block $loops (block $drops (block $calls (block $low
        (block $misaligned (block $end (block $outside (block $traps (block $honest
          (br_table $honest $traps $outside $end $misaligned $low $calls $drops $loops $recurses $grows $honest
            (global.get $mode)))
          (return (call $honest (local.get $size))))
          unreachable)
          (return (i32.const -16)))
          (return (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4))))
          (return (i32.add (call $honest (i32.add (local.get $size) (i32.const 1))) (i32.const 1))))
          (return (i32.const 0)))
        (call $errors (i32.const 0) (i32.const 6))
        (return (call $honest (local.get $size))))
        (call $drop-environ (global.get $environ))
        (return (call $honest (local.get $size))))
        (loop $again (br $again)))
        (return (call $recurse (i32.const 0))))
      (call $grow)
      unreachable)
    (func (export "post-return") (param $returned i32)
      (block $grows (block $loops (block $calls (block $traps (block $honest
        (br_table $honest $traps $calls $loops $grows $honest (global.get $after)))
        (return))
        unreachable)
        (call $errors (i32.const 0) (i32.const 6))
        (return))
        (loop $again (br $again)))
      (call $grow)))
  (core instance $early (export "errors" (func $errors)) (export "drop-environ" (func $drop-environ)))
  (core instance $realloc (instantiate $realloc
    (with "memory" (instance $memory)) (with "host" (instance $early))))

  (core func $get (canon lower (func $get)
    (memory (core memory $memory "memory")) (realloc (core func $realloc "realloc"))))
  (core func $get-utf16 (canon lower (func $get)
    (memory (core memory $memory "memory")) (realloc (core func $realloc "realloc")) string-encoding=utf16))
  (core func $get-compact (canon lower (func $get)
    (memory (core memory $memory "memory")) (realloc (core func $realloc "realloc")) string-encoding=latin1+utf16))
  (core func $entries (canon lower (func $entries)
    (memory (core memory $memory "memory")) (realloc (core func $realloc "realloc"))))
  (core func $take (canon lower (func $take) (memory (core memory $memory "memory"))))
  (core func $read (canon lower (func $read)
    (memory (core memory $memory "memory")) (realloc (core func $realloc "realloc"))))
  (core func $call (canon lower (func $call)
    (memory (core memory $memory "memory")) (realloc (core func $realloc "realloc"))))
  (core func $write (canon lower (func $write) (memory (core memory $memory "memory"))))
  (core func $directories (canon lower (func $directories)
    (memory (core memory $memory "memory")) (realloc (core func $realloc "realloc"))))
  (core instance $host
    (export "get" (func $get)) (export "get-utf16" (func $get-utf16)) (export "get-compact" (func $get-compact))
    (export "entries" (func $entries)) (export "take" (func $take)) (export "read" (func $read))
    (export "call" (func $call)) (export "write" (func $write)) (export "errors" (func $errors))
    (export "directories" (func $directories)) (export "exit" (func $exit))
    (export "drop-environ" (func $drop-environ)) (export "drop-input" (func $drop-input))
    (export "drop-start-response" (func $drop-start-response)) (export "drop-writer" (func $drop-writer))
    (export "drop-descriptor" (func $drop-descriptor)))

  (core module $main
    (type $function (func (param $environ i32) (param $start i32) (param $number i32) (result i32)))
    (import "memory" "memory" (memory $memory 1))
    (import "realloc" "next" (global $next (mut i32)))
    (import "realloc" "mode" (global $mode (mut i32)))
    (import "realloc" "after" (global $after (mut i32)))
    (import "realloc" "environ" (global $kept-environ (mut i32)))
    (import "host" "get" (func $get (param i32 i32 i32 i32)))
    (import "host" "get-utf16" (func $get-utf16 (param i32 i32 i32 i32)))
    (import "host" "get-compact" (func $get-compact (param i32 i32 i32 i32)))
    (import "host" "entries" (func $entries (param i32 i32)))
    (import "host" "take" (func $take (param i32 i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "errors" (func $errors (param i32 i32)))
    (import "host" "directories" (func $directories (param i32)))
    (import "host" "exit" (func $exit (param i32)))
    (import "host" "drop-environ" (func $drop-environ (param i32)))
    (import "host" "drop-input" (func $drop-input (param i32)))
    (import "host" "drop-start-response" (func $drop-start-response (param i32)))
    (import "host" "drop-writer" (func $drop-writer (param i32)))
    (import "host" "drop-descriptor" (func $drop-descriptor (param i32)))
    ;; $main

    ;; Up to 63 are texts; 64 has what the host returns, 128 what the guest does; 256 to 16383 is free for the parts.
    (data (i32.const 0) "200 OK")
    (data (i32.const 8) "ok")
    (data (i32.const 16) "PATH_INFO")
    (data (i32.const 32) "QUERY_STRING")

    ;; A variable as a number; its first byte is passed over, and one that is absent is 0.
    (func $variable (param $environ i32) (param $name i32) (param $length i32) (param $skip i32) (result i32)
      (local $at i32) (local $end i32) (local $number i32)
      (call $get (local.get $environ) (local.get $name) (local.get $length) (i32.const 64))
      (local.set $at (i32.add (i32.load (i32.const 68)) (local.get $skip)))
      (local.set $end (i32.add (i32.load (i32.const 68)) (i32.load (i32.const 72))))
      (block $done
        (loop $digits
          (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
          (local.set $number (i32.add
            (i32.mul (local.get $number) (i32.const 10))
            (i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $digits)))
      (local.get $number))
    ;; A start with 200 and no headers: the writer, or 0.
    (func $start (param $start i32) (result i32)
      (call $call (local.get $start)
        (i32.const 0) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 64))
      (if (result i32) (i32.load8_u (i32.const 64)) (then (i32.const 0)) (else (i32.load (i32.const 68)))))
    ;; A body of these bytes, to be returned.
    (func $bytes (param $at i32) (param $length i32) (result i32)
      (i32.store8 (i32.const 128) (i32.const 0))
      (i32.store (i32.const 136) (local.get $at))
      (i32.store (i32.const 140) (local.get $length))
      (i32.const 128))
    ;; What a request should be answered with.
    (func $ok (param $start i32) (result i32)
      (drop (call $start (local.get $start)))
      (call $bytes (i32.const 8) (i32.const 2)))
    ;; One byte and then the proper end: `.` if the flag is set.
    (func $tell (param $start i32) (param $flag i32) (result i32)
      (drop (call $start (local.get $start)))
      (i32.store8 (i32.const 160) (select (i32.const 46) (i32.const 33) (local.get $flag)))
      (call $bytes (i32.const 160) (i32.const 1)))

    (func (export "application") (param $environ i32) (param $start i32) (result i32)
      (call_indirect $functions (type $function)
        (local.get $environ) (local.get $start)
        (call $variable (local.get $environ) (i32.const 32) (i32.const 12) (i32.const 0))
        (call $variable (local.get $environ) (i32.const 16) (i32.const 9) (i32.const 1)))))
  (core instance $main (instantiate $main
    (with "memory" (instance $memory)) (with "realloc" (instance $realloc)) (with "host" (instance $host))
    ;; $with
    ))
  (func (export "application")
    (param "environ" (own $environ)) (param "start-response" (own $start-response)) (result $body)
    (canon lift (core func $main "application")
      (memory (core memory $memory "memory")) (realloc (core func $realloc "realloc"))
      (post-return (core func $realloc "post-return")))))
