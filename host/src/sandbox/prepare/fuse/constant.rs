//! Constant expressions, evaluated.
//!
//! A module's constants may use globals that it imports. In the fused module these are defined, and
//! a constant cannot use them there; but by then their values are known. Evaluating has a second
//! use: segments at plain constants are what the engine can lay out at compile time.

use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{ConstExpr, Ieee32, Ieee64};
use wasmparser::Operator;

/// The value of a constant expression.
#[derive(Clone, Debug)]
pub(super) enum Value {
    I32(i32),
    I64(i64),
    /// Anything else, which nothing can be reckoned with.
    Other(ConstExpr),
}

impl Value {
    /// The shortest expression of that value.
    pub(super) fn encode(self) -> ConstExpr {
        match self {
            Self::I32(value) => ConstExpr::i32_const(value),
            Self::I64(value) => ConstExpr::i64_const(value),
            Self::Other(expression) => expression,
        }
    }
}

/// The value of `expression`, where `global` knows those of imported globals.
///
/// # Errors
/// [`Error::InvalidConstExpr`] for what the engine's features do not have either.
pub(super) fn evaluate<R: Reencode>(
    reencoder: &mut R,
    expression: wasmparser::ConstExpr<'_>,
    global: impl Fn(&R, u32) -> Option<Value>,
) -> Result<Value, Error<R::Error>> {
    let mut stack = Vec::new();
    let mut operators = expression.get_operators_reader();
    while !operators.is_end_then_eof() {
        let value = match operators.read()? {
            Operator::I32Const { value } => Value::I32(value),
            Operator::I64Const { value } => Value::I64(value),
            Operator::F32Const { value } => Value::Other(ConstExpr::f32_const(Ieee32::from(value))),
            Operator::F64Const { value } => Value::Other(ConstExpr::f64_const(Ieee64::from(value))),
            Operator::V128Const { value } => Value::Other(ConstExpr::v128_const(value.i128())),
            Operator::RefNull { hty } => Value::Other(ConstExpr::ref_null(reencoder.heap_type(hty)?)),
            Operator::RefFunc { function_index } => {
                Value::Other(ConstExpr::ref_func(reencoder.function_index(function_index)?))
            }
            Operator::GlobalGet { global_index } => global(reencoder, global_index).ok_or(Error::InvalidConstExpr)?,
            operator => {
                let (right, left) = (stack.pop(), stack.pop());
                reckon(&operator, left, right).ok_or(Error::InvalidConstExpr)?
            }
        };
        stack.push(value);
    }
    stack.pop().ok_or(Error::InvalidConstExpr)
}

fn reckon(operator: &Operator<'_>, left: Option<Value>, right: Option<Value>) -> Option<Value> {
    match (left?, right?) {
        (Value::I32(left), Value::I32(right)) => Some(Value::I32(match operator {
            Operator::I32Add => left.wrapping_add(right),
            Operator::I32Sub => left.wrapping_sub(right),
            Operator::I32Mul => left.wrapping_mul(right),
            _ => return None,
        })),
        (Value::I64(left), Value::I64(right)) => Some(Value::I64(match operator {
            Operator::I64Add => left.wrapping_add(right),
            Operator::I64Sub => left.wrapping_sub(right),
            Operator::I64Mul => left.wrapping_mul(right),
            _ => return None,
        })),
        _ => None,
    }
}
