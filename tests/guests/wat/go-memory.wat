;; A program that takes memory as Go's runtime does: what it grows by is its own, and begins where its memory ended, whoever
;; else has grown it. It fills 64 pages, looks at them again, and prints what it found by an import that keeps its state in
;; the same memory.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (global $unused (mut i32) (i32.const 0))
  (data (i32.const 16) "Content-Type: text/plain\n\nwhole\n")
  (data (i32.const 64) "Content-Type: text/plain\n\nwritten over\n")
  (func (export "_start") (local $at i32)
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 1000)))
    (if (i32.eq (memory.grow (i32.const 64)) (i32.const -1)) (then unreachable))
    (if (i32.ne (memory.size) (i32.const 65)) (then unreachable))
    (memory.fill (i32.const 65536) (i32.const 0xa5) (i32.const 4194304))
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 1000)))
    (i64.store (i32.const 0) (i64.const 0x0000002000000010))
    (local.set $at (i32.const 65536))
    (loop $more
      (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 0xa5))
        (then (i64.store (i32.const 0) (i64.const 0x0000002700000040))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $at) (i32.const 4259840))))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (table 1 funcref)
  (@custom "go:buildid" "none"))
