/** The generated client names a DOM type that @types/node lacks. */
type BodyInit = NonNullable<RequestInit['body']>;
