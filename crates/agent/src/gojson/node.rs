//! A whole document as a tree that remembers where everything stood: what a configuration file is read into.

use std::borrow::Cow;

use super::{Error, Parser, Token};

/// Nobody writes a configuration deeper than this; the tree is built by recursion.
const DEPTH_LIMIT: usize = 64;

/// Bounds the memory of a tree to a small multiple of its text.
const VALUE_LIMIT: usize = 100_000;

/// One value, the offset of its first byte, and that of the byte behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'a> {
    pub offset: usize,
    pub end: usize,
    pub value: Value<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// The literal as written: who reads it knows whether an integer is wanted.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    /// In the order of the text, duplicates included.
    Object(Vec<Member<'a>>),
}

/// A key, the offset of its opening quote, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Member<'a> {
    pub offset: usize,
    pub key: Cow<'a, str>,
    pub value: Node<'a>,
}

impl<'a> Node<'a> {
    /// Reads a document leniently (see [`Parser::lenient`]). Anything but white space and comments after the value is
    /// an error, as are more than 64 levels or 100,000 values.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut parser = Parser::lenient(bytes).with_depth_limit(DEPTH_LIMIT);
        let mut left = VALUE_LIMIT;
        let node = Self::read(&mut parser, &mut left)?;
        parser.blank()?;
        if parser.offset() < bytes.len() { Err(parser.unexpected("the end of the file")) } else { Ok(node) }
    }

    fn read(parser: &mut Parser<'a>, left: &mut usize) -> Result<Self, Error> {
        let token = parser.peek()?;
        let offset = parser.offset();
        *left =
            left.checked_sub(1).ok_or_else(|| Error { offset, message: format!("more than {VALUE_LIMIT} values") })?;
        let value = match token {
            Token::Null => {
                parser.skip()?;
                Value::Null
            }
            Token::Bool => parser.bool()?.map_or(Value::Null, Value::Bool),
            Token::Number => Value::Number(parser.number_text()?),
            Token::String => parser.string()?.map_or(Value::Null, Value::String),
            Token::Array => {
                let mut items = Vec::new();
                parser.array(|parser| Self::read(parser, left).map(|node| items.push(node)))?;
                Value::Array(items)
            }
            Token::Object => {
                let mut members = Vec::new();
                parser.members(|parser, offset, key| {
                    Self::read(parser, left).map(|value| members.push(Member { offset, key, value }))
                })?;
                Value::Object(members)
            }
        };
        Ok(Self { offset, end: parser.offset(), value })
    }
}
