//! A macro for operations that tensors without tangents pass on to the backend.

/// Functions of these signatures that call the function of the same name on `B`.
macro_rules! delegate {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $returned:ty;)*) => {
        $(
            fn $name($($argument: $type),*) -> $returned {
                B::$name($($argument),*)
            }
        )*
    };
}

pub(crate) use delegate;
