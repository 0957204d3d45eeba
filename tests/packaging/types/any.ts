// No `any` in what the package exports.

import type * as Index from "tokenkeep";
import type * as Mock from "tokenkeep/mock";
import type * as React from "tokenkeep/react";

import { is } from "./same.js";

interface Own {
  readonly roles: readonly string[];
}

/** Types that others wrote. */
type Foreign = AbortSignal | Blob | BufferSource | FormData | Headers | ReadableStream | Request | Response | URL | URLSearchParams;

type Leaf = string | number | boolean | bigint | symbol | null | undefined;

/** Where `any` is in a type: paths of it, or never. */
type AnyIn<T, Path extends string = "", Depth extends 0[] = []> = 0 extends 1 & T
  ? Path
  : [T] extends [never]
    ? never
    : Depth["length"] extends 7
      ? never
      : T extends Leaf
        ? never
        : T extends (...args: infer Args) => infer Result
          ? AnyIn<Args, `${Path}()`, [...Depth, 0]> | AnyIn<Result, `${Path}=>`, [...Depth, 0]>
          : T extends abstract new (...args: infer _) => infer Made
            ? AnyIn<Made, `new ${Path}`, [...Depth, 0]>
            : T extends PromiseLike<infer Value>
              ? AnyIn<Value, `await ${Path}`, [...Depth, 0]>
              : T extends readonly (infer Item)[]
                ? AnyIn<Item, `${Path}[]`, [...Depth, 0]>
                : T extends Foreign
                  ? never
                  : { [K in keyof T]-?: AnyIn<T[K], `${Path}.${K & string}`, [...Depth, 0]> }[keyof T];

// It finds them.
is<".a.b()[]">()(null! as AnyIn<{ a: { b: (_: any) => void } }>);
is<".a=>">()(null! as AnyIn<{ a?: () => any }>);
is<"await .a=>">()(null! as AnyIn<{ a(): Promise<any> }>);
is<".a[].b">()(null! as AnyIn<{ a: readonly { b?: any }[] | string }>);
is<never>()(null! as AnyIn<{ a: unknown; b: never; c(): Promise<void>; d: string[] }>);

// Generic functions are seen with what their parameters must be at least: so the types that they are about are here by name, too.
is<never>()(null! as AnyIn<Pick<typeof Index, "open" | "AuthError">>);
is<never>()(null! as AnyIn<Pick<typeof Mock, "mock" | "authError">>);
is<never>()(null! as AnyIn<Index.Options | Index.Api | Index.SignInOptions | Index.SignOutOptions>);
is<never>()(null! as AnyIn<Index.Session<Own> | Index.Claims | Index.Finished | Index.Event | Index.AuthError>);
is<never>()(null! as AnyIn<Index.AuthErrorCode | Index.AuthErrorKind | Index.Rung | Index.Ended>);
is<never>()(null! as AnyIn<Index.Auth<Own>>);
is<never>()(null! as AnyIn<Mock.MockAuth<Own>>);
is<never>()(null! as AnyIn<Mock.MockOptions<Own> | Mock.MockEvent | Mock.AuthErrorFields | Mock.Call>);
is<never>()(null! as AnyIn<React.AuthInReact<Own>>);
is<never>()(null! as AnyIn<Omit<React.AuthProviderProps, "children">>);
is<never>()(null! as AnyIn<Parameters<Extract<React.SignedInProps<Own>["children"], (...args: never) => unknown>>>);
is<never>()(null! as AnyIn<Parameters<Extract<React.SignedOutProps["children"], (...args: never) => unknown>>>);
