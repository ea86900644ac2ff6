//! Carries statements out.

use super::ast::{Arguments, Expr, For, Kind, Macro, Node, Target};
use super::scope::Scope;
use super::value::{Loop, Object, Value};
use super::{Failure, MOST_BYTES, Machine};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

impl Machine {
    /// Writes what pieces of a template come to.
    pub(super) fn run(&self, nodes: &[Node], scope: &Rc<Scope>, out: &mut String) -> Result<(), Failure> {
        let _level = self.enter()?;
        nodes.iter().try_for_each(|node| {
            self.pay(1)
                .and_then(|()| self.node(&node.kind, scope, out))
                .map_err(|failure| failure.at(node.line))
        })
    }

    /// The same, as a text of its own.
    pub(super) fn captured(&self, nodes: &[Node], scope: &Rc<Scope>) -> Result<String, Failure> {
        let mut out = String::new();
        self.run(nodes, scope, &mut out)?;
        self.pay_bytes(out.len())?;
        Ok(out)
    }

    fn node(&self, kind: &Kind, scope: &Rc<Scope>, out: &mut String) -> Result<(), Failure> {
        match kind {
            Kind::Text(text) => write(out, text),
            Kind::Print(expr) => {
                let value = self.eval(expr, scope)?;
                write(out, &self.text(&value)?)
            }
            Kind::If(conditions, otherwise) => {
                for (condition, nodes) in conditions {
                    if self.eval(condition, scope)?.is_true() {
                        return self.run(nodes, scope, out);
                    }
                }
                self.run(otherwise, scope, out)
            }
            Kind::For(each) => {
                let items = self.eval(&each.items, scope)?;
                self.for_loop(each, &items, 1, scope, out)
            }
            Kind::Set(target, expr) => {
                let value = self.eval(expr, scope)?;
                self.assign(target, value, scope)
            }
            Kind::Capture(target, filters, nodes) => {
                let text = self.captured(nodes, &Scope::inside(scope))?;
                let value = self.filtered(filters, Value::str(text), scope)?;
                self.assign(target, value, scope)
            }
            Kind::Macro(called) => {
                scope.set(&called.name, macro_value(called, scope));
                Ok(())
            }
            Kind::Call(body, expr) => {
                let Expr::Call(called, arguments) = expr else {
                    return Err(Failure::new("a `call` block needs a call"));
                };
                let called = self.eval(called, scope)?;
                let mut given = self.arguments(arguments, scope)?;
                given.named.push(("caller".into(), macro_value(body, scope)));
                let value = self.call(&called, given)?;
                write(out, &self.text(&value)?)
            }
            Kind::Filter(filters, nodes) => {
                let text = self.captured(nodes, &Scope::inside(scope))?;
                let value = self.filtered(filters, Value::str(text), scope)?;
                write(out, &self.text(&value)?)
            }
            Kind::With(values, nodes) => {
                let inner = Scope::inside(scope);
                for (target, expr) in values {
                    let value = self.eval(expr, scope)?;
                    self.assign(target, value, &inner)?;
                }
                self.run(nodes, &inner, out)
            }
            Kind::Block(nodes) => self.run(nodes, &Scope::inside(scope), out),
            Kind::Do(expr) => self.eval(expr, scope).map(drop),
            Kind::Other(word) => {
                Err(Failure::new(format!("`{word}` needs another template, and there is none")))
            }
        }
    }

    /// Runs a loop's body for each item; also when the loop is called.
    pub(super) fn for_loop(
        &self,
        each: &Rc<For>,
        items: &Value,
        depth: usize,
        scope: &Rc<Scope>,
        out: &mut String,
    ) -> Result<(), Failure> {
        let mut items = self.items(items)?;
        if let Some(condition) = &each.condition {
            let mut kept = Vec::new();
            for item in items {
                let inner = Scope::inside(scope);
                self.assign(&each.target, item.clone(), &inner)?;
                if self.eval(condition, &inner)?.is_true() {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            return self.run(&each.otherwise, &Scope::inside(scope), out);
        }
        let state = Rc::new(Object::Loop(Loop {
            items: Rc::new(items.clone()),
            index: Cell::new(0),
            depth,
            last_changed: RefCell::new(None),
            recursive: each.recursive.then(|| (Rc::clone(each), Rc::clone(scope))),
        }));
        for (index, item) in items.into_iter().enumerate() {
            if let Object::Loop(state) = &*state {
                state.index.set(index);
            }
            let inner = Scope::inside(scope);
            inner.set("loop", Value::Object(Rc::clone(&state)));
            self.assign(&each.target, item, &inner)?;
            self.run(&each.body, &inner, out)?;
        }
        Ok(())
    }

    fn filtered(
        &self,
        filters: &[(String, Arguments)],
        value: Value,
        scope: &Rc<Scope>,
    ) -> Result<Value, Failure> {
        filters.iter().try_fold(value, |value, (name, arguments)| {
            let given = self.arguments(arguments, scope)?;
            self.filter(name, value, given)
        })
    }

    pub(super) fn assign(&self, target: &Target, value: Value, scope: &Rc<Scope>) -> Result<(), Failure> {
        match target {
            Target::Name(name) => scope.set(name, value),
            Target::Member(name, member) => match scope.get(name) {
                Some(Value::Object(object)) if matches!(&*object, Object::Namespace(_)) => {
                    if let Object::Namespace(names) = &*object {
                        self.pay_items(1)?;
                        names.borrow_mut().set(member, value);
                    }
                }
                _ => {
                    return Err(Failure::new(format!(
                        "`{name}` is no namespace, so `{name}.{member}` cannot be set"
                    )));
                }
            },
            Target::Several(targets) => {
                let values = self.items(&value)?;
                if values.len() != targets.len() {
                    let (wanted, found) = (targets.len(), values.len());
                    return Err(Failure::new(format!("{wanted} names for {found} values")));
                }
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value, scope)?;
                }
            }
        }
        Ok(())
    }
}

fn write(out: &mut String, text: &str) -> Result<(), Failure> {
    if out.len() + text.len() > MOST_BYTES {
        return Err(Failure::new("the template writes more than 10 MiB"));
    }
    out.push_str(text);
    Ok(())
}

fn macro_value(called: &Rc<Macro>, scope: &Rc<Scope>) -> Value {
    Value::Object(Rc::new(Object::Macro(Rc::clone(called), Rc::clone(scope))))
}
