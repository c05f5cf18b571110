/** Hashes made by other implementations. Their passwords are in the left column. */
export const VECTORS: [made: string, password: string, hash: string | object][] = [
  // The reference implementation's own tests (phc-winner-argon2, src/test.c).
  ["Argon2id", "password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"],
  ["Argon2i", "password", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8"],
  [
    "Argon2i before versions",
    "password",
    "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
  ],
  // argon2-cffi.
  ["Argon2d", "password", "$argon2d$v=19$m=256,t=2,p=2$c29tZXNhbHQ$e2nJLXw4iarRKB28i678Esw3yA8cdeM+8sLUDCjrxXM"],
  ["Argon2i, 24 bytes", "password", "$argon2i$v=16$m=256,t=2,p=1$c29tZXNhbHQ$gmpZvgPDlIhI62NF38WiW67NTqgIx4Cb"],
  // Django 3.2.
  ["Django's Argon2id", "lètmein", "argon2$argon2id$v=19$m=512,t=2,p=2$c2Vhc2FsdDg$6P5fK8jwBqwSGnCtMx4lFA"],
  [
    "Django's PBKDF2 with SHA-256",
    "lètmein",
    "pbkdf2_sha256$2000$seasalt$arBP+F7LSv46AxSyRYAi2XaEwAoObQyVT7IH1mqGQsk=",
  ],
  ["Django's PBKDF2 with SHA-1", "lètmein", "pbkdf2_sha1$2000$seasalt$61Jr6hdsY74/Ia5itsIXS9sdAsY="],
  ["Django's bcrypt", "lètmein", "bcrypt$$2b$04$abcdefghijklmnopqrstuuanVo7Xut1CH8VGIGlz1JovQh9GJbbtG"],
  // passlib 1.7.4.
  ["PBKDF2 with SHA-1", "пароль", "$pbkdf2$1212$MDEyMzQ1Njc4OWFiY2RlZg$q545dy0eQ8NrGJu.FoMoDPGS0qQ"],
  [
    "PBKDF2 with SHA-256",
    "password",
    "$pbkdf2-sha256$6400$AP/.IHNhbHRzYWx0$4lkpwsnxxLFI2wkRHAc42HqIruewufRPKnWhGWMKPIo",
  ],
  [
    "the same as PHC",
    "password",
    "$pbkdf2-sha256$i=6400,l=32$AP/+IHNhbHRzYWx0$4lkpwsnxxLFI2wkRHAc42HqIruewufRPKnWhGWMKPIo=",
  ],
  [
    "PBKDF2 with SHA-512",
    "pässwörd",
    "$pbkdf2-sha512$1000$c2FsdHNhbHRzYWx0$Y3YsSPZZHS0kkk/R8wuI6oED1hqVZE9RSmpo1g70mrIk/Cj7A38X8/Vmwb7AnJ/VQSL79q2yLBJHibGruE77BQ",
  ],
  // crypt_blowfish and jBCrypt.
  ["bcrypt", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"],
  ["bcrypt as PHP marks it", "U*U*", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"],
  ["bcrypt with stray bits in its salt", "U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"],
  ["bcrypt of nothing", "", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."],
  [
    "bcrypt past 72 bytes",
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
    "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
  ],
  // pyca/bcrypt 3.2.
  ["bcrypt of more than ASCII", "пароль 🦆", "$2b$04$abcdefghijklmnopqrstuujCuHRDETbtalcncR2tnJZTkWXUMz7Qe"],
  // firebase/scrypt, README.
  [
    "Firebase's scrypt",
    "user1password",
    {
      scheme: "firebase-scrypt",
      hash: "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
      salt: "42xEC+ixf3L2lw==",
      signer_key: "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
      salt_separator: "Bw==",
      rounds: 8,
      mem_cost: 14,
    },
  ],
];
