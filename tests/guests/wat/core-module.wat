;; A module with the right name in it is still no component.
(module
  (func (export "application") (param i32 i32) (result i32) (i32.const 0)))
