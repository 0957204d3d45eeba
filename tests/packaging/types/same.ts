/** Whether two types are the same, `any` and `readonly` included. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Takes what is of this very type, and nothing that can only be assigned to it. */
export function is<T>() {
  return <U>(_value: U, ..._same: Same<T, U> extends true ? [] : [expected: T]): void => {};
}
