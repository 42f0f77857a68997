;; A core module of WASI 0.1 with an entry point: a component is made of it, and it serves as a CGI program.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; One buffer: where it is, and how long.
  (data (i32.const 0) "\10\00\00\00\2b\00\00\00")
  (data (i32.const 16) "Content-Type: text/plain\n\nmade of a module\n")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
